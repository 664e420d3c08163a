"""The service in numbers, for Prometheus.

Each app has a registry of its own; what several processes count is added up by metrics_processes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from animation_server.concurrency import native_lock
from animation_server.errors import AnimationError
from animation_server.telemetry.metrics_directory import shared_directory
from animation_server.telemetry.metrics_processes import ProcessesCollector, shared_registry
from animation_server.telemetry.observer import STAGES, Call, Dependency, Source

PREFIX = "animation_"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

REQUEST_BUCKETS_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0),
)
"""A drawing takes about a second, a stored one 10 to 40 ms; what is promised, 1.5 s and 50 ms, is an edge."""

STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0)
"""One motion takes from 3 ms (deform) to 300 ms (encode) at rest, and ten times that under load."""

GaugeMode = Literal["livesum", "livemin", "livemax", "livemostrecent"]
"""How the values of the living processes become one."""

JOB_STATES = ("queued", "running", "done", "failed", "cancelled")

FAILURES: dict[Dependency, tuple[str, ...]] = {
    "torchserve": ("inference_failed", "inference_unavailable", "inference_timeout"),
    "s3": ("storage_failed",),
    "redis": ("jobs_unavailable",),
}
"""How the calls to each dependency fail: the codes of the errors that say so."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts and times what happens; implements Observer. Safe to call from every thread.

    queue_capacity : places for requests in this process.
    """

    def __init__(self, queue_capacity: int = 0) -> None:
        self._registry = self._exposed = CollectorRegistry()
        if directory := shared_directory():
            self._exposed = shared_registry(directory)
        else:
            self._exposed.register(ProcessesCollector(lambda: [os.getpid()]))
        # Renders end in native threads. The library's own locks, made after gevent's patching, must never be
        # waited for there; held under this one, they never are.
        self._lock = native_lock()
        self._called: set[tuple[str, str]] = set()
        self._failing: set[str] = set()
        self._make_request_metrics()
        self._make_work_metrics(queue_capacity)
        self._make_dependency_metrics()

    def _make_request_metrics(self) -> None:
        self._requests = self._counter("requests", "HTTP requests answered", "method", "route", "status")
        self._request_seconds = self._histogram(
            "request_duration_seconds",
            "Seconds from a request's head to its answer",
            REQUEST_BUCKETS_S,
            "route",
        )
        self._in_flight = self._gauge("requests_in_flight", "HTTP requests being answered now")
        self._errors = self._counter(
            "errors", "Answers that were errors, by the code told to clients", "code"
        )
        for code in sorted({"internal_error"} | _error_codes(AnimationError)):
            self._errors.labels(code)

    def _make_work_metrics(self, queue_capacity: int) -> None:
        self._stage_seconds = self._histogram(
            "stage_duration_seconds",
            "Seconds that a stage took, each time it ran",
            STAGE_BUCKETS_S,
            "stage",
        )
        for stage in STAGES:
            self._stage_seconds.labels(stage)
        self._queue = self._gauge("queue_depth", "Requests being rendered or waiting for it")
        self._capacity = self._gauge("queue_capacity", "Places for requests being rendered or waiting for it")
        self._capacity.set(queue_capacity)
        self._delivered = self._counter(
            "delivered",
            "Animations handed out: stored before, shared with an equal request, or rendered",
            "source",
        )
        for source in ("stored", "shared", "rendered"):
            self._delivered.labels(source)
        self._annotated = self._counter(
            "annotated", "Drawings that the models looked at, by what they found", "models", "outcome"
        )
        self._jobs = self._counter("jobs", "Jobs that entered a state", "state")
        for state in JOB_STATES:
            self._jobs.labels(state)
        self._jobs_waiting = self._gauge("jobs_waiting", "Jobs that wait for a worker", mode="livemostrecent")
        self._build = self._gauge(
            "build_info", "Always 1; the labels say what runs", "role", "version", "renderer", mode="livemax"
        )
        # Each process adds its one: more later means that a worker died and was replaced.
        self._counter("processes_started", "Server processes that were started, replacements included").inc()

    def _make_dependency_metrics(self) -> None:
        self._call_seconds = self._histogram(
            "dependency_duration_seconds",
            "Seconds that a call took, retries included",
            STAGE_BUCKETS_S,
            "dependency",
            "operation",
        )
        self._call_failures = self._counter(
            "dependency_failures", "Calls that failed after all retries", "dependency", "operation", "code"
        )
        self._retries = self._counter("dependency_retries", "Attempts beyond the first", "dependency")
        self._recoveries = self._counter(
            "dependency_recoveries", "Times that a dependency answered again after a failure", "dependency"
        )
        self._up = self._gauge(
            "dependency_up",
            "1 where the last call to it succeeded in all processes",
            "dependency",
            mode="livemin",
        )

    # -- what happens in requests -----------------------------------------------------------------------

    def request_began(self) -> None:
        """Note that a request has come in."""
        with self._lock:
            self._in_flight.inc()

    def request_ended(self) -> None:
        """Note that a request is done with, answered or not."""
        with self._lock:
            self._in_flight.dec()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answer. route : the rule that matched, never a path, for paths are endless."""
        method = method if method in _METHODS else "other"
        with self._lock:
            self._requests.labels(method, route, str(status)).inc()
            self._request_seconds.labels(route).observe(seconds)

    def erred(self, code: str) -> None:
        """Note that a client was told of an error."""
        with self._lock:
            self._errors.labels(code).inc()

    # -- Observer ---------------------------------------------------------------------------------------

    def stage(self, stage: str, seconds: float) -> None:
        """See Observer."""
        with self._lock:
            self._stage_seconds.labels(stage).observe(seconds)

    def queued(self, change: int) -> None:
        """See Observer."""
        with self._lock:
            self._queue.inc(change)

    def delivered(self, source: Source, count: int) -> None:
        """See Observer."""
        with self._lock:
            self._delivered.labels(source).inc(count)

    def annotated(self, models: str, outcome: Literal["figure", "no_figure"]) -> None:
        """See Observer."""
        with self._lock:
            self._annotated.labels(models, outcome).inc()

    def called(self, call: Call) -> None:
        """See Observer."""
        with self._lock:
            if (call.dependency, call.operation) not in self._called:
                self._begin_at_zero(call)
            self._call_seconds.labels(call.dependency, call.operation).observe(call.seconds)
            if call.failure:
                self._call_failures.labels(call.dependency, call.operation, call.failure).inc()
                self._failing.add(call.dependency)
            elif call.dependency in self._failing:
                self._failing.remove(call.dependency)
                self._recoveries.labels(call.dependency).inc()
            self._up.labels(call.dependency).set(call.dependency not in self._failing)

    def retried(self, dependency: Dependency) -> None:
        """See Observer."""
        with self._lock:
            self._retries.labels(dependency).inc()

    def job_entered(self, state: str) -> None:
        """See Observer."""
        with self._lock:
            self._jobs.labels(state).inc()

    def _begin_at_zero(self, call: Call) -> None:
        """Show what has not failed yet: Prometheus takes no notice of a counter that begins with one."""
        self._called.add((call.dependency, call.operation))
        self._retries.labels(call.dependency)
        self._recoveries.labels(call.dependency)
        for code in FAILURES[call.dependency]:
            self._call_failures.labels(call.dependency, call.operation, code)

    # -- the rest ---------------------------------------------------------------------------------------

    def jobs_wait(self, count: int) -> None:
        """Note how many jobs wait for a worker."""
        with self._lock:
            self._jobs_waiting.set(count)

    def runs(self, role: Literal["server", "worker"], renderer: str) -> None:
        """Note what runs, and the renderer's version."""
        with self._lock:
            self._build.labels(role, version("drawing-animation"), renderer).set(1)

    def exposition(self) -> bytes:
        """Write the numbers of all processes in Prometheus' text format, CONTENT_TYPE."""
        with self._lock:
            return generate_latest(self._exposed)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, description, labels, registry=self._registry)

    def _histogram(self, name: str, description: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, description, labels, registry=self._registry, buckets=buckets)

    def _gauge(self, name: str, description: str, *labels: str, mode: GaugeMode = "livesum") -> Gauge:
        return Gauge(PREFIX + name, description, labels, registry=self._registry, multiprocess_mode=mode)


def _error_codes(base: type[AnimationError]) -> set[str]:
    return {base.code}.union(*(_error_codes(kind) for kind in base.__subclasses__()))
