"""Jobs within one process: the engine and its queue."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from animation_server.errors import InputError, JobsUnavailableError, OverloadedError
from animation_server.jobs.engine import IdempotencyKey, JobEngine
from animation_server.jobs.in_process import InProcessQueue
from animation_server.jobs.job import Job, JobRequest, JobResult
from animation_server.jobs.records import MemoryRecords
from animation_server.jobs.runner import ProgressMeter
from animation_server.jobs.watched_records import WatchedRecords
from animation_server.service.admission import Deadline
from animation_server.telemetry.observer import Unwatched
from tests.job_records import REQUEST, RESULT
from tests.parts.process import eventually

Work = Callable[[JobRequest, bytes], JobResult]


@pytest.fixture
def start_engine() -> Iterator[Callable[..., JobEngine]]:
    """Start an engine of this process whose jobs do this work."""
    started: list[JobEngine] = []

    def start(work: Work, workers: int = 1, most_waiting: int = 1, most_bytes: int = 100) -> JobEngine:
        records = MemoryRecords(60)
        queue = InProcessQueue(
            lambda request, image, meter, deadline: work(request, image),
            records,
            workers,
            most_waiting,
            10,
            most_bytes=most_bytes,
        )
        started.append(JobEngine(records, queue))
        return started[-1]

    yield start
    for engine in started:
        engine.close()


def test_works_on_what_is_handed_in(start_engine: Callable[..., JobEngine]) -> None:
    """Jobs get their own request and image; all are done when the engine is closed."""
    came = []
    engine = start_engine(lambda request, image: came.append((request, image)) or RESULT, most_waiting=10)
    jobs = [engine.submit(REQUEST, bytes([number])) for number in range(10)]
    engine.close()
    assert sorted(came, key=lambda pair: pair[1]) == [(REQUEST, bytes([number])) for number in range(10)]
    assert {engine.get(job.id).state for job in jobs} == {"done"}
    assert len({job.id for job in jobs}) == 10


GEVENT_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import faulthandler
import gevent
from animation_server.jobs.in_process import InProcessQueue
from animation_server.jobs.records import MemoryRecords

faulthandler.dump_traceback_later(20, exit=True)
queue = InProcessQueue(lambda *_: None, MemoryRecords(60), 2, 2, 10, most_bytes=100)
gevent.joinall([gevent.spawn(queue.accept, str(number), b"image") for number in range(3)], raise_error=True)
queue.close()
"""


def test_the_first_jobs_may_come_at_once() -> None:
    """Under gevent others run while threads are started: the loop must not wait for itself then."""
    subprocess.run([sys.executable, "-c", GEVENT_PROGRAM], check=True, timeout=60)


def test_turns_away_what_is_too_much(start_engine: Callable[..., JobEngine]) -> None:
    """Beyond its places the engine takes nothing; a cancelled job makes room."""
    may_end = threading.Event()
    engine = start_engine(lambda *_: may_end.wait(10) and RESULT)
    running, waiting = engine.submit(REQUEST, b"1"), engine.submit(REQUEST, b"2")
    with pytest.raises(OverloadedError):
        engine.submit(REQUEST, b"3")
    assert engine.cancel(waiting.id).state == "cancelled"
    instead = engine.submit(REQUEST, b"4")
    may_end.set()
    assert [engine.wait(job.id, 10).state for job in (running, instead)] == ["done", "done"]
    assert engine.cancel(running.id).state == "done"


def test_bounds_the_memory_of_its_images(start_engine: Callable[..., JobEngine]) -> None:
    """Images are kept up to so many bytes; a job that is done has given its own back."""
    may_end = threading.Event()
    engine = start_engine(lambda *_: may_end.wait(10) and RESULT, most_waiting=10, most_bytes=10)
    engine.submit(REQUEST, b"123456")
    with pytest.raises(OverloadedError):
        engine.submit(REQUEST, b"12345")
    engine.submit(REQUEST, b"1234")
    engine.submit(REQUEST)
    may_end.set()
    assert eventually(lambda: submits(engine, b"1234567890"), 10)


def submits(engine: JobEngine, image: bytes) -> bool:
    try:
        engine.submit(REQUEST, image)
    except OverloadedError:
        return False
    return True


def test_a_key_names_one_job(start_engine: Callable[..., JobEngine]) -> None:
    """The same request under the same key is the same job, at once and later; another is refused."""
    made = []
    engine = start_engine(lambda request, image: made.append(image) or RESULT, workers=4, most_waiting=10)
    key = IdempotencyKey("mine", "fingerprint")
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: engine.submit(REQUEST, b"1", key), range(8)))
    assert len({job.id for job in jobs}) == 1
    assert engine.wait(jobs[0].id, 10).state == "done"
    assert engine.submit(REQUEST, b"1", key).state == "done"
    assert len(made) == 1
    with pytest.raises(InputError) as refused:
        engine.submit(REQUEST, b"2", IdempotencyKey("mine", "another"))
    assert refused.value.status == 422


KEY = IdempotencyKey("mine", "fingerprint")


def test_a_forgotten_job_does_not_cancel_its_successor() -> None:
    """A request may come again under its key while the work for the job that was deleted is still ending."""
    begun, left, may_end, made = threading.Event(), threading.Event(), threading.Event(), []

    def work(_request: JobRequest, image: bytes, _meter: ProgressMeter, deadline: Deadline) -> JobResult:
        made.append(image)
        if len(made) > 1:
            return RESULT
        begun.set()
        assert eventually(lambda: deadline.cancelled, 10)
        left.set()
        may_end.wait(10)  # for the models, which are not cancelled
        deadline.check()
        return RESULT

    records = MemoryRecords(60)
    engine = JobEngine(records, InProcessQueue(work, records, 1, 1, 10, most_bytes=100))
    job = engine.submit(REQUEST, b"1", KEY)
    assert begun.wait(10)
    engine.forget(job.id)
    assert left.wait(10)
    again = engine.submit(REQUEST, b"1", KEY)
    may_end.set()
    assert engine.wait(again.id, 10).state == "done"
    assert made == [b"1", b"1"]
    engine.close()


def test_what_could_not_be_sent_was_not_accepted() -> None:
    """Where the queue fails nothing stays behind, and the same key may come again."""
    queue = StubQueue(works=False)
    engine = JobEngine(MemoryRecords(60), queue)
    with pytest.raises(JobsUnavailableError):
        engine.submit(REQUEST, b"1", KEY)
    assert queue.kept == {}
    queue.works = True
    job = engine.submit(REQUEST, b"1", KEY)
    assert (engine.get(job.id).state, list(queue.kept)) == ("queued", [job.id])


def test_a_repeat_that_fails_harms_no_job() -> None:
    """A queue that fails at the second sending says so; what was accepted by then stays as it is."""
    queue = StubQueue()
    engine = JobEngine(MemoryRecords(60), queue)
    job = engine.submit(REQUEST, b"1", KEY)
    queue.works = False
    with pytest.raises(JobsUnavailableError):
        engine.submit(REQUEST, b"1", KEY)
    assert engine.get(job.id) == job
    assert queue.kept == {job.id: b"1"}


def test_a_repeat_needs_no_room() -> None:
    """A job that waits is sent again, lest it was never sent; where the queue is full it is only returned."""
    queue = StubQueue()
    engine = JobEngine(MemoryRecords(60), queue)
    job = engine.submit(REQUEST, b"1", KEY)
    assert engine.submit(REQUEST, b"1", KEY) == job
    assert queue.sent == [job.id] * 2
    queue.full = True
    assert engine.submit(REQUEST, b"1", KEY) == job
    assert queue.sent == [job.id] * 2
    with pytest.raises(OverloadedError):
        engine.submit(REQUEST, b"1")


def test_of_equal_calls_only_the_first_takes_back() -> None:
    """Two come at the same time; the second fails to send what the first has added and sent."""
    records, queue = MemoryRecords(60), StubQueue()
    engine = JobEngine(records, queue)
    first: list[Job] = []

    def come_between() -> None:
        queue.while_accepting = lambda: None
        first.append(engine.submit(REQUEST, b"1", KEY))
        queue.works = False

    queue.while_accepting = come_between
    with pytest.raises(JobsUnavailableError):
        engine.submit(REQUEST, b"1", KEY)
    assert engine.get(first[0].id).state == "queued"
    assert queue.kept == {first[0].id: b"1"}


def test_a_repeated_job_is_counted_once() -> None:
    """However often its request comes while it waits, it has entered the queue once."""
    entered: list[str] = []

    class Counting(Unwatched):
        def job_entered(self, state: str) -> None:
            entered.append(state)

    queue = StubQueue()
    engine = JobEngine(WatchedRecords(MemoryRecords(60), Counting()), queue)

    def come_between() -> None:
        queue.while_accepting = lambda: None
        engine.submit(REQUEST, b"1", KEY)

    queue.while_accepting = come_between
    engine.submit(REQUEST, b"1", KEY)
    engine.submit(REQUEST, b"1", KEY)
    assert entered == ["queued"]


@dataclass
class StubQueue:
    """Keeps images, and notes what is sent while it works."""

    works: bool = True
    full: bool = False
    while_accepting: Callable[[], None] = lambda: None
    kept: dict[str, bytes] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def has_room(self) -> bool:
        return not self.full

    def accept(self, job_id: str, image: bytes) -> None:
        if self.full:
            raise OverloadedError("full")
        self.while_accepting()
        self.kept[job_id] = image

    def send(self, job_id: str) -> None:
        if not self.works:
            raise JobsUnavailableError("away")
        self.sent.append(job_id)

    def discard(self, job_id: str) -> None:
        self.kept.pop(job_id, None)

    def waiting(self) -> int:
        return len(self.sent)

    def close(self) -> None:
        pass
