"""Plans and costs made from what the load test measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.capacity import (
    Measured,
    Phase,
    Prices,
    dollars_a_drawing,
    measure,
    plan_pods,
    read_phases,
    replay,
)
from benchmarks.queueing import Work, capacity

WORKS = [Work(0.3, (0.2, 0.2)), Work(0.4, (0.3,)), Work(0.3, (0.2, 0.2, 0.2))]
MEASURED = Measured(WORKS, 1.2, 0.1)


def plan(rate: float, p95_s: float) -> int:
    found = plan_pods(MEASURED, rate, p95_s, 2, np.random.default_rng(0))
    assert found is not None
    assert found.p95_s <= p95_s
    assert found.utilisation < 1
    return found.pods


def test_more_drawings_need_more_pods_and_so_does_less_patience() -> None:
    """Never fewer than the cores' time asks for; nearly that few where clients wait for long."""
    best = capacity(MEASURED.pod(2), WORKS)
    patient, busy, hurried = plan(5, 60), plan(20, 60), plan(5, 1.2)
    assert 5 / best < patient <= 5 / best + 2
    assert busy > 3 * patient
    assert hurried > patient


def test_no_number_of_pods_makes_one_drawing_quicker() -> None:
    """Less time than a drawing takes that is alone: there is no plan."""
    assert plan_pods(MEASURED, 0.1, 0.2, 2, np.random.default_rng(0)) is None


def test_a_gpu_pays_where_it_is_kept_busy() -> None:
    """A GPU's share of what a drawing costs falls with the number of cores that it feeds."""
    prices = Prices(core=0.036, gpu=0.36)
    assert dollars_a_drawing(1.0, 2, prices, utilisation=1.0) == pytest.approx(1e-5)
    assert dollars_a_drawing(1.0, 2, prices, utilisation=0.5) == pytest.approx(2e-5)
    assert dollars_a_drawing(1.0, 10, prices, utilisation=1.0, gpus=1) == pytest.approx(2e-5)


def test_a_phase_is_replayed_as_it_came() -> None:
    """Far apart, each takes what it takes alone, whatever the order of the log; at once, one waits."""
    measured = Measured(WORKS, 1.0, 0.1)
    rng = np.random.default_rng(0)

    def mean_s(arrived_s: list[float]) -> float:
        phase = Phase("50%", 1.0, arrived_s, [WORKS[1], WORKS[2]], [], [])
        return replay(measured, measured.pod(1), phase, 2, rng)[0]

    alone = np.mean([WORKS[1].total_s, WORKS[2].total_s])
    assert mean_s([100.0, 3.0]) == pytest.approx(alone)
    assert mean_s([3.0, 3.0]) == pytest.approx(alone + WORKS[1].total_s / 2)


def test_what_the_load_test_writes_is_read(tmp_path: Path) -> None:
    """Slowdown is told by preparing, alone and full; the works by the full phase, as if nobody else were."""
    file = tmp_path / "load.json"
    times = {"arrived_s": 1.0, "prepare_s": 0.2, "models_s": 0.1, "render_s": 0.6, "in_all_s": 0.5}
    work = {"motions": 2, **times}
    full = {**work, "prepare_s": 0.3}
    phases = [
        {"name": "alone", "render_rate": 2.0, "works": [work]},
        {"name": "full", "render_rate": 2.2, "works": [full]},
    ]
    file.write_text(json.dumps(phases))
    measured = measure(read_phases(file))
    assert measured.slowdown == pytest.approx(1.5)
    assert measured.models_s == pytest.approx(0.1)
    assert measured.works[0].prepare_s == pytest.approx(0.2)
    assert measured.works[0].renders_s == pytest.approx((0.2, 0.2))
    assert capacity(measured.pod(2), measured.works) == pytest.approx(2 / 0.9)
