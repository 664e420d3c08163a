"""The service below HTTP: progress, deadlines that reach every part, and what is told to observers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions
from animation_server.app import decode_limits
from animation_server.clip import EncodedClip
from animation_server.concurrency import ThreadExecutor
from animation_server.errors import (
    CancelledError,
    DeadlineError,
    InferenceTimeoutError,
    InputError,
    StorageError,
)
from animation_server.inference.contract import Detection
from animation_server.service.admission import Deadline
from animation_server.service.pipeline import AnimationService, PipelineLimits
from animation_server.service.production import Progress
from animation_server.service.request import AnimationRequest, CharacterAnimationRequest
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from animation_server.telemetry.observer import STAGES, Unwatched
from tests.drawings import DRAWING
from tests.fakes import GIF, CountingRenderer, FigureClient

MOTIONS = ("dab", "jumping", "zombie")
REQUEST = AnimationRequest(DRAWING, MOTIONS, AnimationOptions())


class FrameRenderer(CountingRenderer):
    """Draws ten frames, and says so."""

    frames_drawn = 0

    def render(self, prepared, motion, options, progress=None) -> EncodedClip:  # type: ignore[no-untyped-def]
        for frame in range(10):
            self.before_render()
            self.frames_drawn += 1
            if progress is not None:
                progress(frame + 1, 10)
        return EncodedClip(GIF, "image/gif", 1, 1, 1, 1.0)


@dataclass
class Noting(Unwatched):
    """Remembers what it is told."""

    stages: list[str] = field(default_factory=list)
    deliveries: dict[str, int] = field(default_factory=dict)
    queue: list[int] = field(default_factory=list)

    def stage(self, stage: str, seconds: float) -> None:
        self.stages.append(stage)

    def delivered(self, source: str, count: int) -> None:
        self.deliveries[source] = self.deliveries.get(source, 0) + count

    def queued(self, change: int) -> None:
        self.queue.append(change)


class PatientClient(FigureClient):
    """Notes how long it may take, and takes all of it where it is told to."""

    hangs = False

    def detect(self, image: NDArray[np.uint8], timeout_s: float | None = None) -> list[Detection]:
        self.timeout_s = timeout_s
        if self.hangs:
            raise InferenceTimeoutError("no answer")
        return super().detect(image)


class PatientStore(LocalStore):
    """Notes how long it may take."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "")
        self.timeouts: list[float | None] = []

    def put(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> None:
        self.timeouts.append(timeout_s)
        super().put(key, data, content_type)


@dataclass
class Parts:
    service: AnimationService
    models: PatientClient
    renderer: FrameRenderer
    store: PatientStore
    observer: Noting


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    models, renderer, store, observer = PatientClient(), FrameRenderer(), PatientStore(tmp_path), Noting()
    service = AnimationService(
        models, store, renderer, ThreadExecutor(2), decode_limits(Settings()), PipelineLimits(), "", observer
    )
    yield Parts(service, models, renderer, store, observer)
    service.close()


def test_progress_grows_to_the_end(parts: Parts) -> None:
    """Every report is more than the last; the last is all of it; all kinds of work are seen."""
    reports: list[Progress] = []
    parts.service.animate(REQUEST, progress=reports.append)
    done = [report.done for report in reports]
    assert done == sorted(set(done))
    assert (reports[-1].done, {report.total for report in reports}) == (reports[-1].total, {400})
    assert {report.stage for report in reports} >= {"decode", "mask", "deform", "draw", "store"}
    assert len(reports) >= 30
    reports.clear()
    parts.service.animate(REQUEST, progress=reports.append)
    assert reports == []


def test_cancelled_work_stops_within_a_frame(parts: Parts) -> None:
    """Whoever leaves while frames are drawn costs no more than those under way; nothing is stored."""
    deadline = Deadline.after(60)
    parts.renderer.before_render = lambda: deadline.cancel() if parts.renderer.frames_drawn >= 3 else None
    with pytest.raises(CancelledError):
        parts.service.animate(REQUEST, deadline=deadline)
    assert parts.renderer.frames_drawn <= 3 + 2  # one for each thread
    assert not any(path.is_file() for path in parts.store.directory.rglob("*"))
    parts.renderer.before_render = lambda: None
    assert set(parts.service.animate(REQUEST).urls) == set(MOTIONS)


def test_cancelled_before_it_begins(parts: Parts) -> None:
    """Then the models are not even asked."""
    deadline = Deadline.after(60)
    deadline.cancel()
    with pytest.raises(CancelledError):
        parts.service.animate(REQUEST, deadline=deadline)
    assert parts.models.calls == []


def test_the_time_that_is_left_is_handed_down(parts: Parts) -> None:
    """The models and the store wait no longer than the request's caller does."""
    parts.service.animate(REQUEST, deadline=Deadline.after(30))
    assert parts.models.timeout_s is not None
    assert 0 < parts.models.timeout_s <= 30
    assert len(parts.store.timeouts) == 3
    assert all(timeout is not None and 0 < timeout <= 30 for timeout in parts.store.timeouts)


def test_a_dependency_that_outlasts_the_deadline_is_the_deadlines_error(parts: Parts) -> None:
    """The caller learns that its time was up; with time left it learns what failed."""
    parts.models.hangs = True
    with pytest.raises(InferenceTimeoutError):
        parts.service.animate(REQUEST)

    def hang(image: NDArray[np.uint8], timeout_s: float | None = None) -> list[Detection]:
        time.sleep(timeout_s or 0)
        raise InferenceTimeoutError("no answer")

    parts.models.detect = hang  # type: ignore[method-assign]
    with pytest.raises(DeadlineError):
        parts.service.animate(REQUEST, deadline=Deadline.after(0.2))


def test_observers_are_told(parts: Parts) -> None:
    """Stages by their names, places taken and left, and where animations came from."""
    parts.service.animate(AnimationRequest(DRAWING, ("dab",), AnimationOptions()))
    parts.service.animate(REQUEST)
    assert set(parts.observer.stages) <= set(STAGES)
    assert {"decode", "detect", "pose", "mask", "store"} <= set(parts.observer.stages)
    assert {name: count for name, count in parts.observer.deliveries.items() if count} == {
        "rendered": 3,
        "stored": 1,
    }
    assert parts.observer.queue == [1, -1] * 2


def test_characters_tell_progress_and_heed_deadlines(parts: Parts) -> None:
    """Making and animating a character is work like any other."""
    reports: list[Progress] = []
    stored = parts.service.create_character(DRAWING, progress=reports.append).character
    assert reports[-1].done == reports[-1].total
    wanted = CharacterAnimationRequest(stored.id, MOTIONS, AnimationOptions())
    reports.clear()
    parts.service.animate_character(wanted, progress=reports.append)
    assert reports[-1].done == reports[-1].total
    deadline = Deadline.after(60)
    deadline.cancel()
    unseen = CharacterAnimationRequest(stored.id, MOTIONS, AnimationOptions(speed=2.0))
    for call in (
        lambda: parts.service.create_character(DRAWING, deadline=deadline),
        lambda: parts.service.animate_character(unseen, deadline=deadline),
    ):
        with pytest.raises(CancelledError):
            call()


def test_a_picture_that_is_gone_is_the_stores_failure(parts: Parts) -> None:
    """A character whose pictures were lost says so, and not that it is the caller's mistake."""
    stored = parts.service.create_character(DRAWING).character
    parts.store.delete([stored.mask])
    with pytest.raises(StorageError, match="picture") as caught:
        parts.service.animate_character(CharacterAnimationRequest(stored.id, MOTIONS, AnimationOptions()))
    assert stored.mask not in str(caught.value)


def test_models_of_several_versions_serve_at_once(parts: Parts) -> None:
    """A character keeps to the models that made it; drawings go by those that serve now."""
    stored = parts.service.create_character(DRAWING).character
    wanted = CharacterAnimationRequest(stored.id, ("dab",), AnimationOptions())
    by_first = parts.service.animate_character(wanted).urls
    parts.models.versions = "figure-2"
    assert parts.service.animate_character(wanted).urls == by_first
    by_second = parts.service.animate(AnimationRequest(DRAWING, ("dab",), AnimationOptions())).urls
    assert by_second != by_first
    parts.models.versions = "figure-1"
    again = parts.service.animate(AnimationRequest(DRAWING, ("dab",), AnimationOptions())).urls
    assert again == by_first


def test_a_new_renderer_does_not_pass_old_characters_for_its_own(parts: Parts) -> None:
    """Cut out by other code, a character's animations have keys of their own."""
    stored = parts.service.create_character(DRAWING).character
    parts.renderer.version = "counting-2"
    wanted = CharacterAnimationRequest(stored.id, ("dab",), AnimationOptions())
    of_drawing = parts.service.animate(AnimationRequest(DRAWING, ("dab",), AnimationOptions())).urls
    assert parts.service.animate_character(wanted).urls != of_drawing


def test_previews_want_a_motion_that_there_is(parts: Parts) -> None:
    """404, as for everything that is asked for by its address."""
    with pytest.raises(InputError) as caught:
        parts.service.preview("moonwalk")
    assert caught.value.status == 404
