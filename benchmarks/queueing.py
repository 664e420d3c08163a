"""Queues: what a number of servers makes of what is asked of them.

Closed forms for stations that stand for themselves, and a simulation of a pod, whose drawings fork into
motions and share cores, for which there is no closed form. Times in seconds, rates in drawings a second.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival of an M/M/c queue has to wait.

    offered : arrival rate times mean service time; must be below `servers`, else ValueError.
    """
    if not 0 <= offered < servers:
        raise ValueError(f"offered load: expected at least 0 and below {servers} servers, came {offered:g}")
    blocked = 1.0
    for count in range(1, servers + 1):  # Erlang B, whose recursion is stable
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait(servers: int, rate: float, mean_s: float, cv2: float, arrival_cv2: float = 1.0) -> float:
    """Return the mean wait (s) before service in a queue with `servers` servers: Allen and Cunneen.

    Exact for M/M/c, and for M/G/1, where it is Pollaczek and Khinchine's. mean_s, cv2 : of the time of
    service, its mean and its squared coefficient of variation. arrival_cv2 : of the time between arrivals; 1
    for arrivals at random. Infinite where more is asked than can be served.
    """
    offered = rate * mean_s
    if offered >= servers:
        return math.inf
    if offered == 0:
        return 0.0
    exponential = erlang_c(servers, offered) * mean_s / (servers - offered)
    return exponential * (cv2 + arrival_cv2) / 2


@dataclass(frozen=True)
class Work:
    """The work for one drawing: seconds on one core until it is prepared, then for each of its motions."""

    prepare_s: float
    renders_s: tuple[float, ...]

    @property
    def total_s(self) -> float:
        """Seconds of work in all."""
        return self.prepare_s + sum(self.renders_s)


@dataclass(frozen=True)
class PodModel:
    """A pod as the server admits and works.

    threads : that work, and drawings that are worked on at a time. slowdown : how much longer a piece of work
    takes while all threads are busy than alone; between, in proportion. Where cores are shared, with
    TorchServe for one, it is more than one. places : drawings worked on or waiting; those beyond are refused.
    """

    threads: int
    slowdown: float = 1.0
    places: int = 1_000_000

    def speed(self, busy: int) -> float:
        """How fast each thread is while so many are busy."""
        if self.threads == 1:
            return 1.0
        return 1 / (1 + (self.slowdown - 1) * (busy - 1) / (self.threads - 1))


@dataclass(frozen=True)
class Simulated:
    """What came of a simulation.

    sojourns_s : from arrival to answer, of those served. found : how many drawings each arrival found there.
    seconds : in all.
    """

    sojourns_s: NDArray[np.float64]
    found: NDArray[np.int64]
    refused: int
    seconds: float

    @property
    def throughput(self) -> float:
        """Drawings a second."""
        return len(self.sojourns_s) / self.seconds


@dataclass
class _Drawing:
    arrived_s: float
    pieces: deque[float]
    running: int = 0
    prepared: bool = False


@dataclass
class _Pod:
    """A simulation's state. A piece of work is known by what of it is left, in seconds at full speed."""

    model: PodModel
    waiting: deque[_Drawing] = field(default_factory=deque)
    working: list[_Drawing] = field(default_factory=list)
    left: list[tuple[float, int, _Drawing]] = field(default_factory=list)
    clock: float = 0.0  # work done by each busy thread: all advance alike, so the least left ends first
    begun: int = 0

    def begin(self) -> None:
        """Give idle threads something to do, of the drawing that came first."""
        while self.waiting and len(self.working) < self.model.threads:
            self.working.append(self.waiting.popleft())
        for drawing in self.working:
            while drawing.pieces and len(self.left) < self.model.threads:
                if not drawing.prepared and drawing.running:
                    break  # nothing can be rendered before it is prepared
                drawing.running += 1
                self.begun += 1
                heapq.heappush(self.left, (self.clock + drawing.pieces.popleft(), self.begun, drawing))

    def end_one(self) -> _Drawing | None:
        """End the piece that is done; return its drawing where that was the last of it."""
        self.clock, _, drawing = heapq.heappop(self.left)
        drawing.running -= 1
        drawing.prepared = True
        if drawing.running or drawing.pieces:
            return None
        self.working.remove(drawing)
        return drawing


def simulate(model: PodModel, arrivals_s: Iterable[float], works: Sequence[Work]) -> Simulated:
    """Let drawings come to a pod at these moments, each with its work, until all are answered."""
    pod = _Pod(model)
    arrivals = deque(enumerate(arrivals_s))
    if len(arrivals) != len(works):
        raise ValueError(f"expected as many works as arrivals, came {len(works)} and {len(arrivals)}")
    now, refused = 0.0, 0
    sojourns: list[float] = []
    found: list[int] = []
    while arrivals or pod.left:
        speed = model.speed(len(pod.left))
        ends = now + (pod.left[0][0] - pod.clock) / speed if pod.left else math.inf
        if arrivals and arrivals[0][1] <= ends:
            number, moment = arrivals.popleft()
            pod.clock += (moment - now) * speed if pod.left else 0.0
            now = moment
            found.append(len(pod.waiting) + len(pod.working))
            if found[-1] >= model.places:
                refused += 1
            else:
                work = works[number]
                pod.waiting.append(_Drawing(now, deque([work.prepare_s, *work.renders_s])))
        else:
            now = ends
            if (done := pod.end_one()) is not None:
                sojourns.append(now - done.arrived_s)
        pod.begin()
    return Simulated(np.array(sojourns), np.array(found), refused, now)


def simulate_at(
    model: PodModel, rate: float, works: Sequence[Work], count: int, rng: np.random.Generator
) -> Simulated:
    """Let `count` drawings come at random moments, `rate` a second, with works drawn from those measured."""
    arrivals = np.cumsum(rng.exponential(1 / rate, count)).tolist()
    return simulate(model, arrivals, [works[index] for index in rng.integers(len(works), size=count)])


def capacity(model: PodModel, works: Sequence[Work]) -> float:
    """Return the most drawings a second that a pod can serve, all its threads busy all the time."""
    mean_s = float(np.mean([work.total_s for work in works]))
    return model.threads * model.speed(model.threads) / mean_s
