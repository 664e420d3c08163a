"""Stages tell how long they took themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from animation_server.animate import AnimationOptions
from animation_server.annotate import annotate
from animation_server.inference.embedded import EmbeddedClient
from animation_server.sample import sample_drawing
from animation_server.service.library_renderer import LibraryRenderer
from animation_server.telemetry.observer import STAGES
from animation_server.telemetry.stages import observed, stage, staged


class Times:
    """What was reported."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()

    def __call__(self, name: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls[name] += 1
        self.seconds[name] += seconds


def test_nobody_is_told_unless_somebody_asks() -> None:
    """Marked code runs as it is."""
    with stage("draw"):
        assert list(staged("draw", iter([1, 2]))) == [1, 2]


def test_stages_within_stages_are_left_out() -> None:
    """The times add up to the whole: nothing is counted twice, nothing is lost."""
    times = Times()
    started = time.perf_counter()
    with observed(times), stage("encode"):
        time.sleep(0.02)
        with stage("draw"):
            time.sleep(0.03)
            with stage("deform"):
                time.sleep(0.04)
        with stage("draw"):
            time.sleep(0.01)
    whole = time.perf_counter() - started
    assert times.calls == {"encode": 1, "draw": 2, "deform": 1}
    assert sum(times.seconds.values()) == pytest.approx(whole, abs=0.005)
    assert times.seconds["encode"] >= 0.02
    assert times.seconds["draw"] >= 0.04
    assert times.seconds["deform"] >= 0.04


def test_what_is_left_half_way_is_not_reported() -> None:
    """Its end may be told by the garbage collector, within anything, locks of whoever is told included."""
    times = Times()
    with observed(times):
        items = staged("draw", iter([1, 2]))
        next(items)
        del items
    assert times.calls == {}


def test_what_is_drawn_on_demand_is_one_stage() -> None:
    """An encoder that draws from its source is told apart from it, however many frames there are."""
    times = Times()

    def draw() -> Iterator[int]:
        for frame in range(3):
            time.sleep(0.01)
            yield frame

    with observed(times), stage("encode"):
        for _ in staged("draw", draw()):
            time.sleep(0.02)
    assert times.calls == {"draw": 1, "encode": 1}
    assert times.seconds["draw"] >= 0.03
    assert times.seconds["encode"] >= 0.06


def test_failures_are_reported_too() -> None:
    """A stage that fails has taken time; the next ones are counted as ever."""
    times = Times()
    with observed(times):
        with pytest.raises(KeyError), stage("draw"), stage("encode"):
            raise KeyError
        with stage("store"):
            pass
    assert times.calls == {"draw": 1, "encode": 1, "store": 1}


def test_a_drawing_passes_all_stages() -> None:
    """Every stage of the way marks itself; decoding and storing are the service's."""
    times = Times()
    models, renderer = EmbeddedClient(threads=1), LibraryRenderer()
    with observed(times):
        drawing = sample_drawing()
        annotation = annotate(drawing, models)
        look = AnimationOptions(size=(64, 64), max_frames=4)
        for prepared in (
            renderer.prepare(annotation.character),
            renderer.prepare_on_sheet(drawing, annotation),
        ):
            before = set(times.calls)
            renderer.render(prepared, "dab", look)
            assert {"retarget", "deform", "draw", "encode"} <= set(times.calls) | before
    assert set(times.calls) == set(STAGES) - {"decode", "store"}
    models.close()
