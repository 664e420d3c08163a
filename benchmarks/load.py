"""What the service does under load, on this machine.

python -m benchmarks.load [--seconds 60] [--embedded] [--json benchmarks/load.json]

Runs the real processes (TorchServe on the CPU, gunicorn, an S3 server) and clients beside them, on the same
cores, and offers drawings and motions of which hardly any is found ready:

    alone          one client: the time that each part takes by itself
    full           so many clients that no thread is idle: the most that can be served
    50, 70, 80 %   of that, at random moments
    ten times      as many as can be served
    stop           SIGTERM while as many come as can be served

/healthz is asked ten times a second meanwhile. Prints tables for RESULTS.md, and writes what
benchmarks.capacity compares its predictions with.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.load_mix import Mix
from benchmarks.load_watch import Seen, Watch
from benchmarks.open_loop import Answer, Call, keep_busy, offer, poisson_moments
from tests.parts.pod import running_pod
from tests.parts.server import Server, animation_server

MOTIONS = ("dab", "jumping", "zombie")
FULL_CLIENTS = 6
SHARES = (0.5, 0.7, 0.8)
OVERLOAD = 10
STOP_AFTER_S = 5.0
HEALTH = Call("GET", "/healthz")
HEALTH_PERIOD_S = 0.1
MB = 1_000_000


@dataclass(frozen=True)
class Phase:
    """One phase of the test. answers, health : to drawings and to /healthz, timed from its beginning."""

    name: str
    seconds: float
    answers: Sequence[Answer]
    health: Sequence[Answer]
    seen: Seen

    @property
    def served(self) -> list[Answer]:
        """The answers with animations."""
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def goodput(self) -> float:
        """Drawings a second while requests came; what was answered after that is left out."""
        return sum(answer.ended_s <= self.seconds for answer in self.served) / self.seconds

    @property
    def render_rate(self) -> float:
        """Drawings a second that were rendered, and answered, while requests came."""
        return sum(work.arrived_s + work.in_all_s <= self.seconds for work in self.seen.works) / self.seconds


class LoadTest:
    """Offers load to a server, phase by phase."""

    def __init__(self, server: Server, mix: Mix, rng: np.random.Generator) -> None:
        self._server = server
        self._mix = mix
        self._rng = rng

    def warm_up(self) -> None:
        """Ask for each drawing once, and leave out those in which no figure is found."""
        answers = offer(self._server.url, calls := self._mix.one_of_each(), np.arange(len(calls)).tolist())
        self._mix.keep([answer.status == 200 for answer in answers])
        if unexpected := [answer for answer in answers if answer.status not in (200, 422)]:
            sys.exit(f"expected animations or no figure, came {unexpected}")

    def busy(self, name: str, clients: int, seconds: float) -> Phase:
        """Let clients ask one after the other."""
        checks = _checks(seconds)
        with Watch(self._server) as watch, ThreadPoolExecutor(1) as pool:
            health = pool.submit(
                offer, self._server.url, [HEALTH for _ in checks], [moment for moment, _ in checks]
            )
            answers = keep_busy(self._server.url, self._mix.next, clients, seconds)
        return Phase(name, seconds, answers, health.result(), watch.seen)

    def open(self, name: str, rate: float, seconds: float) -> Phase:
        """Let clients come at random moments."""
        asked = [(moment, self._mix.next()) for moment in poisson_moments(rate, seconds, self._rng)]
        due = sorted(asked + _checks(seconds), key=lambda moment_and_call: moment_and_call[0])
        with Watch(self._server) as watch:
            answers = offer(self._server.url, [call for _, call in due], [moment for moment, _ in due])
        by_call = list(zip(answers, (call for _, call in due), strict=True))
        return Phase(
            name,
            seconds,
            [answer for answer, call in by_call if call is not HEALTH],
            [answer for answer, call in by_call if call is HEALTH],
            watch.seen,
        )

    def stop(self, rate: float) -> str:
        """Send SIGTERM while clients come; say what became of them."""
        process = self._server.process
        moments = poisson_moments(rate, 2 * STOP_AFTER_S, self._rng)
        stopped_at: list[float] = []

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            stopped_at.append(time.monotonic())

        threading.Timer(STOP_AFTER_S, end).start()
        answers = offer(self._server.url, [self._mix.next() for _ in moments], moments)
        code = process.wait(120)
        took_s = time.monotonic() - stopped_at[0]
        before = [answer for answer in answers if answer.due_s < STOP_AFTER_S]
        answered = sum(answer.status == 200 for answer in before)
        cut = [
            answer for answer in answers if answer.status == 0 and answer.error != "ConnectionRefusedError"
        ]
        return (
            f"{answered} of the {len(before)} that came before were answered with animations, "
            f"{len(cut)} were cut off; exit {code} after {took_s:.1f} s"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each phase")
    parser.add_argument("--embedded", action="store_true", help="the server alone: its own models and files")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    options = parser.parse_args()
    mix = Mix(MOTIONS, np.random.default_rng(0))
    with tempfile.TemporaryDirectory(prefix="load-") as home, _server(Path(home), options.embedded) as server:
        test = LoadTest(server, mix, np.random.default_rng(1))
        test.warm_up()
        phases = []
        for phase in _phases(test, options.seconds):
            print(f"{phase.name}: {len(phase.answers)} requests", file=sys.stderr)
            phases.append(phase)
        stopped = test.stop(phases[1].goodput)
    print(_report(phases, stopped))
    if options.json:
        options.json.write_text(json.dumps([_record(phase) for phase in phases]) + "\n")


def _checks(seconds: float) -> list[tuple[float, Call]]:
    """The orchestrator's own requests: the same in every phase, so that they cost the same in all."""
    return [(float(moment), HEALTH) for moment in np.arange(0, seconds, HEALTH_PERIOD_S)]


@contextmanager
def _server(home: Path, embedded: bool) -> Iterator[Server]:
    if embedded:
        with animation_server(home, {}) as server:
            yield server
    else:
        with running_pod(home) as pod:
            yield pod.server


def _phases(test: LoadTest, seconds: float) -> Iterator[Phase]:
    yield test.busy("alone", 1, seconds)
    full = test.busy("full", FULL_CLIENTS, seconds)
    yield full
    for share in SHARES:
        yield test.open(f"{share:.0%}", share * full.goodput, seconds)
    yield test.open("ten times", OVERLOAD * full.goodput, seconds)


def _report(phases: Sequence[Phase], stopped: str) -> str:
    """Write the tables."""
    lines = ["| | asked a second | served a second | mean | median | p95 | worker |", "|---" * 7 + "|"]
    for phase in phases:
        seconds = [answer.seconds for answer in phase.served]
        lines.append(
            f"| {phase.name} | {len(phase.answers) / phase.seconds:.2f} | {phase.goodput:.2f} "
            f"| {np.mean(seconds):.2f} s | {np.median(seconds):.2f} s | {np.percentile(seconds, 95):.2f} s "
            f"| {_memory(phase.seen)} |"
        )
    lines += ["", "| mean time in a stage, each time | alone | full | ten times |", "|---" * 4 + "|"]
    alone, full, flooded = phases[0].seen, phases[1].seen, phases[-1].seen
    for stage in alone.stages_s:
        times = " | ".join(f"{1000 * seen.stages_s[stage]:.0f} ms" for seen in (alone, full, flooded))
        lines.append(f"| {stage} | {times} |")
    lines += ["", "| ten times more than can be served | |", "|---|---|", *_overload(phases)]
    lines += [f"| SIGTERM under load | {stopped} |"]
    averages = ", ".join(f"{phase.seen.load_average:.1f}" for phase in phases)
    return "\n".join([*lines, "", f"The machine's load average in these phases: {averages}."])


def _memory(seen: Seen) -> str:
    return f"{np.median(seen.rss) / MB:.0f} to {max(seen.rss) / MB:.0f} MB"


def _overload(phases: Sequence[Phase]) -> Iterator[str]:
    """The rows about the last phase, in which ten times more came than could be served."""
    *others, flooded = phases
    best, most_rendered = max(p.goodput for p in others), max(p.render_rate for p in others)
    refused = [answer for answer in flooded.answers if answer.status == 503]
    unexpected = [answer for answer in flooded.answers if answer.status not in (200, 503)]
    waits = [answer.seconds for answer in refused]
    health = [answer.seconds for answer in flooded.health]
    kinds = sorted({f"{answer.status} {answer.error}".strip() for answer in unexpected})
    yield f"| served, of the best | {flooded.goodput / best:.0%} |"
    yield f"| rendered, of the best | {flooded.render_rate / most_rendered:.0%} |"
    yield (
        f"| refused within | median {_percentile_ms(waits, 50):.0f} ms, "
        f"p95 {_percentile_ms(waits, 95):.0f} ms, p99 {_percentile_ms(waits, 99):.0f} ms, "
        f"most {1000 * max(waits):.0f} ms |"
    )
    yield f"| refused, with Retry-After | {sum(a.retry_after for a in refused)} of {len(refused)} |"
    yield f"| neither served nor refused | {len(unexpected)} {', '.join(kinds)} |"
    rss = flooded.seen.rss
    yield f"| worker, first and last ten seconds | {_ends(rss)} |"
    median, p99 = _percentile_ms(health, 50), _percentile_ms(health, 99)
    yield f"| /healthz | median {median:.0f} ms, p99 {p99:.0f} ms |"


def _percentile_ms(seconds: Sequence[float], percent: float) -> float:
    return 1000 * float(np.percentile(seconds, percent))


def _ends(rss: Sequence[int]) -> str:
    return f"{np.median(rss[:20]) / MB:.0f} MB, {np.median(rss[-20:]) / MB:.0f} MB"


def _record(phase: Phase) -> dict[str, object]:
    """What benchmarks.capacity needs of a phase."""
    return {
        "name": phase.name,
        "render_rate": round(phase.render_rate, 4),
        "works": [asdict(work) for work in phase.seen.works],
    }


if __name__ == "__main__":
    main()
