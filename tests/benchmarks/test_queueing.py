"""The model of queues, against what is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.queueing import (
    PodModel,
    Simulated,
    Work,
    capacity,
    erlang_c,
    mean_wait,
    simulate,
    simulate_at,
)

DRAWINGS = 60_000


def run(model: PodModel, rate: float, works: list[Work]) -> Simulated:
    return simulate_at(model, rate, works, DRAWINGS, np.random.default_rng(3))


def exponential_works(mean_s: float) -> list[Work]:
    """Quantiles of an exponential distribution, in one piece each."""
    shares = (np.arange(4000) + 0.5) / 4000
    return [Work(float(-mean_s * math.log(1 - share)), ()) for share in shares]


def test_erlang_c_of_one_server_is_its_load() -> None:
    """An arrival waits as often as the one server is busy."""
    assert erlang_c(1, 0.7) == pytest.approx(0.7)


def test_erlang_c_of_two_servers() -> None:
    """M/M/2: 2 rho^2 / (1 + rho)."""
    assert erlang_c(2, 1.2) == pytest.approx(2 * 0.6**2 / 1.6)


def test_more_load_than_servers_has_no_wait_that_ends() -> None:
    """The wait is infinite, the probability is refused."""
    assert mean_wait(2, 3.0, 1.0, 1.0) == math.inf
    with pytest.raises(ValueError, match="below 2 servers"):
        erlang_c(2, 2.0)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_mean_wait_of_known_queues(load: float) -> None:
    """M/M/1 waits rho / (1 - rho) services, M/D/1 half as long, nobody where nobody comes."""
    assert mean_wait(1, load, 1.0, 1.0) == pytest.approx(load / (1 - load))
    assert mean_wait(1, load, 1.0, 0.0) == pytest.approx(load / (1 - load) / 2)
    assert mean_wait(4, 0.0, 1.0, 1.0) == 0


@pytest.mark.parametrize(("threads", "load"), [(1, 0.5), (1, 0.8), (2, 0.8), (4, 0.7)])
def test_simulated_pod_is_mmc_where_drawings_are_one_piece(threads: int, load: float) -> None:
    """Without motions a pod is an M/M/c queue: its mean time is the closed form's."""
    simulated = run(PodModel(threads), load * threads, exponential_works(1.0))
    expected = 1.0 + mean_wait(threads, load * threads, 1.0, 1.0)
    assert simulated.sojourns_s.mean() == pytest.approx(expected, rel=0.06)
    assert simulated.refused == 0


def test_simulated_pod_keeps_to_littles_law() -> None:
    """What arrivals find on average is rate times mean time, forks, slowdown and all."""
    works = [Work(0.2, (0.1, 0.3)), Work(0.4, ()), Work(0.1, (0.2, 0.2, 0.5))]
    simulated = run(PodModel(3, slowdown=1.4), 2.5, works)
    assert simulated.found.mean() == pytest.approx(2.5 * simulated.sojourns_s.mean(), rel=0.04)


def test_simulated_pod_refuses_as_erlang_says() -> None:
    """M/M/1 with 4 places, and as many arrivals as can be served: one in five is refused."""
    simulated = run(PodModel(1, places=4), 1.0, exponential_works(1.0))
    assert simulated.refused / DRAWINGS == pytest.approx(1 / 5, rel=0.05)


def test_motions_are_rendered_side_by_side_after_the_preparation() -> None:
    """Two threads: the drawing is prepared by one, then two motions by both; a third by whoever is first."""
    one = simulate(PodModel(2), [0.0], [Work(1.0, (2.0, 3.0, 2.0))])
    assert one.sojourns_s.tolist() == [pytest.approx(1.0 + 4.0)]


def test_threads_slow_each_other() -> None:
    """Two threads that slow each other by half do alone what one does, and together less than twice that."""
    model = PodModel(2, slowdown=1.5)
    assert simulate(model, [0.0], [Work(1.0, ())]).sojourns_s.tolist() == [pytest.approx(1.0)]
    both = simulate(model, [0.0, 0.0], [Work(1.0, ()), Work(1.0, ())])
    assert both.sojourns_s.tolist() == [pytest.approx(1.5)] * 2
    # alone for half a second, then both until the first has done its other half
    late = simulate(model, [0.0, 0.5], [Work(1.0, ()), Work(1.0, ())])
    assert late.sojourns_s.tolist() == [pytest.approx(1.25), pytest.approx(1.25)]


def test_the_first_drawing_is_finished_first() -> None:
    """One thread, two drawings: the second is not begun before the first is answered."""
    works = [Work(1.0, (1.0,)), Work(1.0, (1.0,))]
    assert simulate(PodModel(1), [0.0, 0.0], works).sojourns_s.tolist() == [2.0, 4.0]


def test_capacity_is_what_an_overloaded_pod_serves() -> None:
    """With five times what it can serve and few places, throughput is the capacity."""
    works = [Work(0.2, (0.1, 0.3)), Work(0.1, (0.2, 0.2, 0.5))]
    model = PodModel(2, slowdown=1.3, places=16)
    best = capacity(model, works)
    simulated = run(model, 5 * best, works)
    assert simulated.throughput == pytest.approx(best, rel=0.02)
    assert simulated.refused > DRAWINGS / 2
