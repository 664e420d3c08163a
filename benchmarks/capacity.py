"""How many pods serve how many drawings, what that costs, and what is in short supply next.

python -m benchmarks.capacity compare                   the model's predictions beside the load test's times
python -m benchmarks.capacity plan --rate 5 --p95 4     pods and cores for 5 drawings a second within 4 s
python -m benchmarks.capacity cost --count 1000000      with and without a GPU, together and apart

All take --measured FILE, which `make bench-load` writes. docs/scaling.md explains the model.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.queueing import PodModel, Work, capacity, mean_wait, simulate, simulate_at

MEASURED = Path(__file__).with_name("load.json")
DRAWINGS = 20_000
REPLAYS = 200
MOST_PODS = 10_000
HOUR_S = 3600.0


@dataclass(frozen=True)
class Phase:
    """A phase of the load test, and of each drawing in it: when it came, its work, and how long it took.

    rate : drawings rendered a second.
    """

    name: str
    rate: float
    arrived_s: Sequence[float]
    works: Sequence[Work]
    models_s: Sequence[float]
    in_all_s: Sequence[float]


@dataclass(frozen=True)
class Measured:
    """What the model is made of.

    works : in seconds as they take where no other thread is busy. slowdown : of them where all are.
    models_s : mean time of a drawing with the models, when alone.
    """

    works: Sequence[Work]
    slowdown: float
    models_s: float

    @property
    def work_s(self) -> float:
        """Mean seconds of work for one drawing."""
        return float(np.mean([work.total_s for work in self.works]))

    @property
    def cv2(self) -> float:
        """Squared coefficient of variation of that."""
        return float(np.var([work.total_s for work in self.works])) / self.work_s**2

    def pod(self, threads: int) -> PodModel:
        """Model a pod of this kind."""
        return PodModel(threads, self.slowdown)


@dataclass(frozen=True)
class Plan:
    """Pods that serve a rate in time. utilisation : share of the time that their threads are busy."""

    pods: int
    utilisation: float
    mean_s: float
    p95_s: float


@dataclass(frozen=True)
class Prices:
    """In dollars an hour. core : of a core with 2 GB. gpu : of a GPU, its machine's cores left out."""

    core: float = 0.04
    gpu: float = 0.60


def read_phases(path: Path) -> dict[str, Phase]:
    """Read what the load test wrote, by the phases' names."""
    return {phase["name"]: _phase(phase) for phase in json.loads(path.read_text())}


def measure(phases: dict[str, Phase]) -> Measured:
    """Take the works from the phase in which no thread is idle, and the slowdown from preparing.

    A drawing that is alone is prepared by one thread while the others are idle. Its motions then keep them as
    busy as they are in the full phase, so that they tell nothing about the slowdown.
    """
    alone, full = phases["alone"], phases["full"]
    slowdown = max(1.0, _mean_prepare_s(full.works) / _mean_prepare_s(alone.works))
    works = [
        Work(work.prepare_s / slowdown, tuple(render_s / slowdown for render_s in work.renders_s))
        for work in full.works
    ]
    return Measured(works, slowdown, float(np.mean(alone.models_s)))


def replay(
    measured: Measured, model: PodModel, phase: Phase, times: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Predict the mean and the 95th percentile (s) of a phase's drawings.

    Known of them are the moments at which they came and the number of motions that each asked for; their
    works are drawn anew each time from those measured in the full phase. Arrivals drawn anew would differ
    from those that were by more than the model is off: a minute at 80 % has 140 drawings.
    """
    order = np.argsort(phase.arrived_s)
    by_motions: dict[int, list[Work]] = {}
    for work in measured.works:
        by_motions.setdefault(len(work.renders_s), []).append(work)
    asked = [by_motions[len(phase.works[index].renders_s)] for index in order]
    arrivals = [phase.arrived_s[index] for index in order]
    means, p95s = [], []
    for _ in range(times):
        works = [choices[rng.integers(len(choices))] for choices in asked]
        sojourns_s = simulate(model, arrivals, works).sojourns_s
        means.append(sojourns_s.mean())
        p95s.append(np.percentile(sojourns_s, 95))
    return float(np.mean(means)), float(np.mean(p95s))


def plan_pods(
    measured: Measured, rate: float, p95_s: float, threads: int, rng: np.random.Generator
) -> Plan | None:
    """Find the fewest pods that serve `rate` drawings a second, 19 of 20 of them within `p95_s`.

    Clients are spread over pods at random, which is what a Kubernetes Service does. None where a drawing
    takes longer than that even where nobody else is.
    """
    model = measured.pod(threads)
    best = capacity(model, measured.works)
    fewest = max(1, math.ceil(rate / best * 1.0001))

    def make(pods: int) -> Plan:
        simulated = simulate_at(model, rate / pods, measured.works, DRAWINGS, rng)
        p95 = float(np.percentile(simulated.sojourns_s, 95))
        return Plan(pods, rate / pods / best, float(simulated.sojourns_s.mean()), p95)

    too_few, enough = fewest - 1, fewest
    while (plan := make(enough)).p95_s > p95_s:
        too_few, enough = enough, 2 * enough
        if enough > MOST_PODS:
            return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        tried = make(middle)
        if tried.p95_s <= p95_s:
            enough, plan = middle, tried
        else:
            too_few = middle
    return plan


def dollars_a_drawing(
    work_s: float, cores: int, prices: Prices, utilisation: float, gpus: float = 0.0
) -> float:
    """What one drawing costs on machines of `cores` cores and `gpus` GPUs whose cores are the limit."""
    rate = cores * utilisation / work_s
    return (cores * prices.core + gpus * prices.gpu) / HOUR_S / rate


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare")
    plan = commands.add_parser("plan")
    plan.add_argument(
        "--rate", type=float, nargs="+", default=[1.0, 5.0, 20.0, 100.0], help="drawings a second"
    )
    plan.add_argument(
        "--p95", type=float, default=4.0, help="seconds within which 19 of 20 are to be answered"
    )
    cost = commands.add_parser("cost")
    cost.add_argument("--count", type=int, default=1_000_000, help="animations")
    cost.add_argument("--motions", type=float, default=2.2, help="animations a drawing")
    cost.add_argument("--core-price", type=float, default=Prices.core, help="dollars a core and hour")
    cost.add_argument("--gpu-price", type=float, default=Prices.gpu, help="dollars a GPU and hour")
    cost.add_argument(
        "--gpu-seconds", type=float, default=0.02, help="a drawing's time with the models on a GPU"
    )
    cost.add_argument("--utilisation", type=float, default=0.6, help="of cores, over a day")
    for command in (compare, plan, cost):
        command.add_argument("--measured", type=Path, default=MEASURED)
        command.add_argument("--threads", type=int, default=2, help="cores, and render threads, of a pod")
    options = parser.parse_args()
    phases = read_phases(options.measured)
    measured = measure(phases)
    print(
        f"A drawing is {measured.work_s:.2f} s of work (cv2 {measured.cv2:.2f}), {measured.models_s:.2f} s "
        f"of it with the models; {measured.slowdown:.2f} times that where all threads are busy.\n"
    )
    {"compare": _compare, "plan": _plan, "cost": _cost}[options.command](options, phases, measured)


def _compare(options: argparse.Namespace, phases: dict[str, Phase], measured: Measured) -> None:
    model = measured.pod(options.threads)
    best = capacity(model, measured.works)
    full = phases["full"].rate
    print("| | measured | simulated | | closed form | |")
    print("|---" * 6 + "|")
    print(f"| most a second | {full:.2f} | {best:.2f} | {best / full - 1:+.0%} | | |")
    for name, phase in phases.items():
        if not name.endswith("%"):
            continue
        mean_s, p95_s = replay(measured, model, phase, REPLAYS, np.random.default_rng(0))
        wait = mean_wait(options.threads, phase.rate, options.threads / best, measured.cv2)
        closed = wait + float(np.mean(phases["alone"].in_all_s))
        seen = float(np.mean(phase.in_all_s))
        print(
            f"| {name}, {phase.rate:.2f} a second: mean | {seen:.2f} s | {mean_s:.2f} s "
            f"| {mean_s / seen - 1:+.0%} | {closed:.2f} s | {closed / seen - 1:+.0%} |"
        )
        seen = float(np.percentile(phase.in_all_s, 95))
        print(f"| p95 | {seen:.2f} s | {p95_s:.2f} s | {p95_s / seen - 1:+.0%} | | |")


def _plan(options: argparse.Namespace, _: dict[str, Phase], measured: Measured) -> None:
    print("| drawings a second | pods | cores | busy | mean | p95 |")
    print("|---" * 6 + "|")
    for rate in options.rate:
        plan = plan_pods(measured, rate, options.p95, options.threads, np.random.default_rng(0))
        if plan is None:
            print(f"| {rate:g} | none: one drawing alone takes longer | | | | |")
        else:
            print(
                f"| {rate:g} | {plan.pods} | {plan.pods * options.threads} | {plan.utilisation:.0%} "
                f"| {plan.mean_s:.2f} s | {plan.p95_s:.2f} s |"
            )


def _cost(options: argparse.Namespace, _: dict[str, Phase], measured: Measured) -> None:
    prices = Prices(options.core_price, options.gpu_price)
    drawings = options.count / options.motions
    on_cores = measured.work_s * measured.slowdown
    without_models = (measured.work_s - measured.models_s) * measured.slowdown + options.gpu_seconds
    # A GPU of which each drawing takes gpu_seconds keeps so many cores that render busy.
    fed = without_models / options.gpu_seconds
    print("| | cores beside one GPU | dollars | for a thousand drawings |")
    print("|---" * 4 + "|")
    rows = [("no GPU", "", dollars_a_drawing(on_cores, options.threads, prices, options.utilisation))]
    for cores in (4, 8, 16, 32):
        each = dollars_a_drawing(without_models, cores, prices, options.utilisation, 1.0)
        rows.append(("a GPU in every pod", f"{cores}", each))
    apart = dollars_a_drawing(without_models, round(fed), prices, options.utilisation, 1.0)
    rows.append(("GPU pods apart from those that render", f"{fed:.0f}", apart))
    for name, cores_text, each in rows:
        print(f"| {name} | {cores_text} | {each * drawings:.0f} | {each * 1000:.3f} |")


def _phase(record: dict[str, Any]) -> Phase:
    works = [
        Work(work["prepare_s"], (work["render_s"] / work["motions"],) * work["motions"])
        for work in record["works"]
    ]
    models_s = [work["models_s"] for work in record["works"]]
    in_all_s = [work["in_all_s"] for work in record["works"]]
    arrived_s = [work["arrived_s"] for work in record["works"]]
    return Phase(record["name"], record["render_rate"], arrived_s, works, models_s, in_all_s)


def _mean_prepare_s(works: Sequence[Work]) -> float:
    return float(np.mean([work.prepare_s for work in works]))


if __name__ == "__main__":
    main()
