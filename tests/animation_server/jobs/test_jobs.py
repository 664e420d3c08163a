"""Jobs within one process: records in memory and in Redis, the runner, the queue, the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animation_server.animate import AnimationOptions
from animation_server.api.preferences import Preferences, parse_prefer
from animation_server.errors import (
    InferenceUnavailableError,
    InputError,
    JobsUnavailableError,
    NoFigureError,
    OverloadedError,
    SettingsError,
    StorageError,
)
from animation_server.jobs import runner
from animation_server.jobs.engine import IdempotencyKey, JobEngine
from animation_server.jobs.ids import new_job_id
from animation_server.jobs.in_process import InProcessQueue
from animation_server.jobs.job import Job, JobError, JobRequest, JobResult, State, new_job
from animation_server.jobs.records import JobRecords, MemoryRecords, Ticket
from animation_server.jobs.redis_records import RedisRecords
from animation_server.jobs.runner import MOST_ATTEMPTS, Make, ProgressMeter, run_job
from animation_server.jobs.worker import run_worker
from animation_server.service.admission import Deadline
from animation_server.settings import Settings
from tests.parts import redis as redis_part
from tests.parts.redis import redis_server

REQUEST = JobRequest(
    ("dab", "zombie"), AnimationOptions(size=(64, 48), background=(1, 2, 3)), request_id="r1"
)
RESULT = JobResult("drawing", {"dab": "drawing/dab-1.gif"})


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if redis_part.MISSING:
        pytest.skip(redis_part.MISSING)
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["memory", "redis"])
def records(request: pytest.FixtureRequest) -> Iterator[JobRecords]:
    """Either kind of records."""
    kept: JobRecords
    if request.param == "memory":
        kept = MemoryRecords(60)
    else:
        kept = RedisRecords(request.getfixturevalue("redis_url"), 60)
    yield kept
    kept.close()


def add(records: JobRecords) -> str:
    job = new_job(new_job_id())
    records.add(job, REQUEST)
    return job.id


def get(records: JobRecords, job_id: str) -> Job:
    job = records.get(job_id)
    assert job is not None
    return job


# Records


def test_records_return_what_they_were_given(records: JobRecords) -> None:
    """A job and its request come back equal, whatever is set; what is not there is None."""
    job_id = add(records)
    assert get(records, job_id).state == "queued"
    assert records.get_request(job_id) == REQUEST
    assert records.update(job_id, stage="draw", progress=0.25)
    error = JobError("no_figure", "no figure – “nothing”", 422, 5)
    assert records.update(job_id, state="failed", error=error, result=RESULT)
    job = get(records, job_id)
    assert (job.state, job.stage, job.progress) == ("failed", "draw", 0.25)
    assert (job.error, job.result) == (error, RESULT)
    assert job.updated_at >= job.created_at
    assert records.get("0" * 32) is None
    assert records.get_request("0" * 32) is None


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_what_is_finished_changes_no_more(records: JobRecords, end: State) -> None:
    """No late worker, report or cancellation changes a finished job; nor is one that is gone brought back."""
    job_id = add(records)
    assert records.update(job_id, state=end)
    for late in ("queued", "running", "done", "failed", "cancelled"):
        assert not records.update(job_id, state=late)
    assert records.begin(job_id).may == "skip"
    assert get(records, job_id).state == end
    records.remove(job_id)
    assert not records.update(job_id, state="running")
    assert records.begin(job_id).may == "skip"
    assert records.get(job_id) is None


def test_a_job_is_added_once(records: JobRecords) -> None:
    """Adding a job again leaves it as it is."""
    job_id = add(records)
    records.begin(job_id)
    records.add(new_job(job_id), REQUEST)
    assert get(records, job_id).state == "running"


def test_a_key_stays_bound_to_its_first_ticket(records: JobRecords) -> None:
    """Of callers who bind a key at the same time all get the same ticket."""
    key = new_job_id()
    tickets = [Ticket("print", new_job_id()) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        bound = set(pool.map(lambda ticket: records.remember(key, ticket), tickets))
    assert len(bound) == 1
    assert bound <= set(tickets)


def test_attempts_are_counted(records: JobRecords) -> None:
    """Every beginning is an attempt of its own."""
    job_id = add(records)
    attempts = []
    for _ in range(3):
        attempts.append(records.begin(job_id).attempt)
        records.release(job_id)
    assert attempts == [1, 2, 3]


def test_one_worker_at_a_time(redis_url: str) -> None:
    """Where several want to begin a job, one does; the others may once it lets go."""
    records = RedisRecords(redis_url, 60)
    job_id = add(records)
    with ThreadPoolExecutor(8) as pool:
        turns = sorted(turn.may for turn in pool.map(lambda _: records.begin(job_id), range(8)))
    assert turns == ["begin"] + ["wait"] * 7
    records.release(job_id)
    assert records.begin(job_id).may == "begin"
    records.close()


def test_memory_forgets_what_has_expired() -> None:
    """Finished jobs and keys go after their time; a job under way stays however long it takes."""
    now = [0.0]
    records = MemoryRecords(10, clock=lambda: now[0])
    finished, running = add(records), add(records)
    records.update(finished, state="done")
    records.update(running, state="running")
    records.remember("key", Ticket("a", "1"))
    now[0] = 10.0
    assert records.get(finished) is None
    assert get(records, running).state == "running"
    assert records.remember("key", Ticket("b", "2")) == Ticket("b", "2")


def test_redis_forgets_by_itself(redis_url: str) -> None:
    """Everything that is kept in Redis has an expiry."""
    records = RedisRecords(redis_url, 60)
    job_id = add(records)
    records.begin(job_id)
    records.update(job_id, progress=0.5)
    records.remember(new_job_id(), Ticket("a", "1"))
    keys = list(records.client.scan_iter("animation:*"))
    assert keys
    assert all(0 < records.client.ttl(key) <= 60 for key in keys)
    records.close()


def test_a_redis_that_is_away_is_said_to_be(redis_url: str) -> None:
    """Every method says so, in the error that clients are told to come back for."""
    records = RedisRecords("redis://127.0.0.1:1/0", 60)
    calls: list[Callable[[], object]] = [
        lambda: add(records),
        lambda: records.get("a"),
        lambda: records.get_request("a"),
        lambda: records.begin("a"),
        lambda: records.update("a", progress=0.5),
        lambda: records.remove("a"),
        lambda: records.remember("k", Ticket("a", "b")),
        records.check,
    ]
    for call in calls:
        with pytest.raises(JobsUnavailableError):
            call()
    records.close()


# The runner


def succeed(meter: ProgressMeter, deadline: Deadline) -> JobResult:
    return RESULT


def fail_with(error: Exception) -> Make:
    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        raise error

    return make


def test_runs_a_job_once(records: JobRecords) -> None:
    """A message that comes twice finds the job done and makes nothing."""
    job_id = add(records)
    made = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        made.append(1)
        return RESULT

    assert run_job(job_id, make, records, 10) is None
    assert run_job(job_id, make, records, 10) is None
    job = get(records, job_id)
    assert (job.state, job.progress, job.result, len(made)) == ("done", 1.0, RESULT, 1)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (NoFigureError("Expected a figure."), "no_figure", 422),
        (ValueError("secret"), "internal_error", 500),
    ],
)
def test_tells_why_a_job_failed(records: JobRecords, error: Exception, code: str, status: int) -> None:
    """Callers' mistakes in their words, our own without a word of what went wrong."""
    job_id = add(records)
    assert run_job(job_id, fail_with(error), records, 10) is None
    job = get(records, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.code, job.error.status) == (code, status)
    assert "secret" not in job.error.message


@pytest.mark.parametrize(
    "error", [InferenceUnavailableError("http://inside"), StorageError("x"), OverloadedError("x")]
)
def test_tries_again_what_may_pass(records: JobRecords, error: Exception) -> None:
    """A dependency that is away puts the job back, later and later; the last time it fails for good."""
    job_id = add(records)
    delays = []
    while (retry_s := run_job(job_id, fail_with(error), records, 10)) is not None:
        assert get(records, job_id).state == "queued"
        delays.append(retry_s)
    assert delays == sorted(set(delays))
    assert len(delays) == MOST_ATTEMPTS - 1
    job = get(records, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.retry_after_s
    assert "inside" not in job.error.message


def test_gives_up_a_job_that_kills_its_workers(records: JobRecords) -> None:
    """Begun too often without an end, a job is failed and not made again."""
    job_id = add(records)
    for _ in range(MOST_ATTEMPTS):
        assert records.begin(job_id).may == "begin"
        records.release(job_id)  # as its hold ends when a worker dies
    assert run_job(job_id, fail_with(AssertionError("made again")), records, 10) is None
    job = get(records, job_id)
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_stops_when_cancelled(records: JobRecords) -> None:
    """Work under way notices that its job was cancelled; what it returns then counts no more."""
    job_id = add(records)
    noticed = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        assert records.update(job_id, state="cancelled")
        while not deadline.cancelled:
            time.sleep(0.01)
        noticed.append(1)
        return RESULT

    assert run_job(job_id, make, records, 10) is None
    assert noticed
    assert get(records, job_id).state == "cancelled"
    assert get(records, job_id).result is None


def test_stops_at_its_deadline(records: JobRecords) -> None:
    """A job that takes longer than one may is failed as any request would be."""
    job_id = add(records)

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        while True:
            deadline.check()
            time.sleep(0.01)

    assert run_job(job_id, make, records, 0.1) is None
    job = get(records, job_id)
    assert job.error is not None
    assert (job.error.code, job.error.status) == ("deadline_exceeded", 504)


def test_reports_progress_while_it_works(records: JobRecords) -> None:
    """What the meter says is in the record while the job runs."""
    job_id = add(records)
    seen: list[Job] = []

    def make(meter: ProgressMeter, deadline: Deadline) -> JobResult:
        meter.stage, meter.progress = "draw", 0.4
        while not (seen and seen[-1].progress):
            seen.append(get(records, job_id))
            time.sleep(0.01)
        return RESULT

    run_job(job_id, make, records, 10)
    assert (seen[-1].state, seen[-1].stage, seen[-1].progress) == ("running", "draw", 0.4)


class ForgetfulRecords(MemoryRecords):
    """Records that are away when the outcome is to be recorded, so many times."""

    def __init__(self, away: int) -> None:
        super().__init__(60)
        self.away = away

    def update(self, job_id: str, **changes: Any) -> bool:
        if changes.get("state") == "done" and self.away:
            self.away -= 1
            raise JobsUnavailableError("away")
        return super().update(job_id, **changes)


def test_an_outcome_waits_for_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that come back in time are told; where they stay away the caller hears of it, to try again."""
    monkeypatch.setattr(runner, "RECORD_PAUSE_S", 0.01)
    records = ForgetfulRecords(away=2)
    job_id = add(records)
    assert run_job(job_id, succeed, records, 10) is None
    assert get(records, job_id).state == "done"
    monkeypatch.setattr(runner, "RECORD_PATIENCE_S", 0.0)
    records.away, job_id = 1, add(records)
    with pytest.raises(JobsUnavailableError):
        run_job(job_id, succeed, records, 10)
    assert run_job(job_id, succeed, records, 10) is None
    assert get(records, job_id).state == "done"


# The engine


Work = Callable[[JobRequest, bytes], JobResult]


@pytest.fixture
def start_engine() -> Iterator[Callable[..., JobEngine]]:
    """Start an engine of this process whose jobs do this work."""
    started: list[JobEngine] = []

    def start(work: Work, workers: int = 1, most_waiting: int = 1) -> JobEngine:
        records = MemoryRecords(60)
        queue = InProcessQueue(
            lambda request, image, meter, deadline: work(request, image), records, workers, most_waiting, 10
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


def test_what_could_not_be_sent_was_not_accepted() -> None:
    """Where the queue fails nothing stays behind, and the same key may come again."""
    records = MemoryRecords(60)
    queue = BrokenQueue()
    engine = JobEngine(records, queue)
    key = IdempotencyKey("mine", "fingerprint")
    with pytest.raises(JobsUnavailableError):
        engine.submit(REQUEST, b"1", key)
    assert queue.kept == {}
    queue.works = True
    job = engine.submit(REQUEST, b"1", key)
    assert (engine.get(job.id).state, list(queue.kept)) == ("queued", [job.id])


class BrokenQueue:
    """Keeps images, sends nothing until it works."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.works = False

    def accept(self, job_id: str, image: bytes) -> None:
        self.kept[job_id] = image

    def send(self, job_id: str) -> None:
        if not self.works:
            raise JobsUnavailableError("away")

    def discard(self, job_id: str) -> None:
        self.kept.pop(job_id, None)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("settings", [Settings(), Settings(jobs="celery")])
def test_no_worker_without_a_queue(settings: Settings) -> None:
    """A worker that would wait for nothing says what it lacks."""
    with pytest.raises(SettingsError, match="ANIMATION_JOBS=celery"):
        run_worker(settings)


# Preferences


@pytest.mark.parametrize(
    ("fields", "preferences", "applied"),
    [
        ([], Preferences(), ""),
        (["respond-async"], Preferences(True), "respond-async"),
        (["respond-async, wait=10"], Preferences(True, 10), "respond-async, wait=10"),
        (["Wait=5", "RESPOND-ASYNC; x=y"], Preferences(True, 5), "respond-async, wait=5"),
        (['wait="7"; a=b, wait=9, handling=lenient'], Preferences(False, 7), "wait=7"),
        (["wait=-1, wait=x, wait"], Preferences(), ""),
    ],
)
def test_reads_preferences(fields: list[str], preferences: Preferences, applied: str) -> None:
    """As RFC 7240 has it: any case, any number of fields, the first of a name, nothing else minded."""
    assert parse_prefer(fields) == preferences
    assert preferences.applied == applied


@given(st.lists(st.text()))
def test_no_preference_is_an_error(fields: list[str]) -> None:
    """Whatever comes, it is understood or passed over."""
    wait_s = parse_prefer(fields).wait_s
    assert wait_s is None or 0 <= wait_s < 10**9
