"""The numbers of several processes as one: prometheus_client's multiprocess mode.

Each process writes its numbers to files of its own in one directory, and whichever is asked adds them all up.
metrics_directory switches that on before the library is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector


def shared_registry(directory: Path) -> CollectorRegistry:
    """Make what exposes the numbers of all processes that share a directory."""
    registry = CollectorRegistry()
    registry.register(SharedNumbers(directory))
    registry.register(ProcessesCollector(lambda: _living(directory)))
    return registry


def serve_metrics(host: str, port: int, directory: Path) -> None:
    """Serve the numbers of all processes that share a directory, from a thread, at /metrics of a port."""
    start_http_server(port, host, shared_registry(directory))


class SharedNumbers(Collector):
    """The sums over all processes that share a directory.

    What a process that has ended was doing is taken out of the sums; what it has done stays counted.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._all = MultiProcessCollector(None, directory)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        for pid in _living(self._directory):
            if not Path(f"/proc/{pid}").exists():
                mark_process_dead(pid, self._directory)  # type: ignore[no-untyped-call]
        yield from self._all.collect()  # type: ignore[no-untyped-call]


class ProcessesCollector(Collector):
    """CPU time, memory and open files of processes, told apart by the label `pid`."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        families: dict[str, Metric] = {}
        for pid in self._pids():
            for family in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                into = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    into.add_sample(sample.name, {**sample.labels, "pid": str(pid)}, sample.value)
        yield from families.values()


def _living(directory: Path) -> list[int]:
    """Processes that share a directory; one that has ended is there until the numbers are asked for."""
    files = directory.glob("gauge_livesum_*.db")
    return sorted(int(file.stem.rpartition("_")[2]) for file in files)
