"""Records of jobs, in memory and in Redis."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from animation_server.errors import JobsUnavailableError
from animation_server.jobs import records as records_module
from animation_server.jobs.ids import new_job_id
from animation_server.jobs.job import JobError, State, new_job
from animation_server.jobs.records import JobRecords, MemoryRecords, Ticket
from animation_server.jobs.redis_records import UNFINISHED_EXPIRY_S, RedisRecords
from tests.job_records import REQUEST, RESULT, add_job, get_job


def test_records_return_what_they_were_given(records: JobRecords) -> None:
    """A job and its request come back equal, whatever is set; what is not there is None."""
    job_id = add_job(records)
    assert get_job(records, job_id).state == "queued"
    assert records.get_request(job_id) == REQUEST
    assert records.update(job_id, stage="draw", progress=0.25)
    error = JobError("no_figure", "no figure – “nothing”", 422, 5)
    assert records.update(job_id, state="failed", error=error, result=RESULT)
    job = get_job(records, job_id)
    assert (job.state, job.stage, job.progress) == ("failed", "draw", 0.25)
    assert (job.error, job.result) == (error, RESULT)
    assert job.updated_at >= job.created_at
    assert records.get("0" * 32) is None
    assert records.get_request("0" * 32) is None


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_what_is_finished_changes_no_more(records: JobRecords, end: State) -> None:
    """No late worker, report or cancellation changes a finished job; nor is one that is gone brought back."""
    job_id = add_job(records)
    assert records.update(job_id, state=end)
    for late in ("queued", "running", "done", "failed", "cancelled"):
        assert not records.update(job_id, state=late)
    assert records.begin(job_id).may == "skip"
    assert get_job(records, job_id).state == end
    records.remove(job_id)
    assert not records.update(job_id, state="running")
    assert records.begin(job_id).may == "skip"
    assert records.get(job_id) is None


def test_a_job_is_added_once(records: JobRecords) -> None:
    """Adding a job again leaves it as it is, and says so."""
    job = new_job(new_job_id())
    job_id = job.id
    assert records.add(job, REQUEST)
    records.begin(job_id)
    assert not records.add(new_job(job_id), REQUEST)
    assert get_job(records, job_id).state == "running"


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
    job_id = add_job(records)
    attempts = []
    for _ in range(3):
        attempts.append(records.begin(job_id).attempt)
        records.release(job_id)
    assert attempts == [1, 2, 3]


def test_one_worker_at_a_time(redis_url: str) -> None:
    """Where several want to begin a job, one does; the others may once it lets go."""
    records = RedisRecords(redis_url, 60)
    job_id = add_job(records)
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
    finished, running = add_job(records), add_job(records)
    records.update(finished, state="done")
    records.update(running, state="running")
    records.remember("key", Ticket("a", "1"))
    now[0] = 10.0
    assert records.get(finished) is None
    assert get_job(records, running).state == "running"
    assert records.remember("key", Ticket("b", "2")) == Ticket("b", "2")


def test_memory_keeps_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest keys and finished jobs are forgotten, but no job that is under way."""
    monkeypatch.setattr(records_module, "MOST_KEPT", 2)
    records = MemoryRecords(60)
    for number in range(6):
        records.remember(str(number), Ticket("a", str(number)))
    assert records.remember("5", Ticket("b", "new")) == Ticket("a", "5")
    assert records.remember("0", Ticket("b", "new")) == Ticket("b", "new")
    jobs = [add_job(records) for _ in range(5)]
    assert {get_job(records, job_id).state for job_id in jobs} == {"queued"}
    for job_id in jobs[::-1]:
        records.update(job_id, state="done")
    newest = add_job(records)
    assert [job_id for job_id in jobs if records.get(job_id)] == jobs[:2]
    assert get_job(records, newest).state == "queued"


def test_memory_looks_at_what_may_have_expired_alone() -> None:
    """A call costs the same however much is kept; what is finished last expires last."""
    asked, now = [0], [0.0]

    def clock() -> float:
        asked[0] += 1
        return now[0]

    records = MemoryRecords(10, clock)
    jobs = [add_job(records) for _ in range(100)]
    for number, job_id in enumerate(jobs[::-1]):
        now[0] = number / 100
        records.update(job_id, state="done")
        records.remember(job_id, Ticket("a", job_id))
    before = asked[0]
    records.remember("key", Ticket("b", "2"))
    add_job(records)
    assert asked[0] - before < 10
    now[0] = 10.5
    assert {job_id for job_id in jobs if records.get(job_id)} == set(jobs[:49])


def test_redis_forgets_by_itself(redis_url: str) -> None:
    """Everything that is kept in Redis has an expiry; a job's own begins when it is finished."""
    records = RedisRecords(redis_url, 60)
    records.client.flushdb()
    job_id = add_job(records)
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: records.begin(job_id),
        lambda: records.update(job_id, progress=0.5),
        lambda: records.update(job_id, state="queued"),
    ]
    for change in changes:
        change()
        assert 60 < records.client.ttl(f"animation:job:{job_id}") <= UNFINISHED_EXPIRY_S
    records.begin(job_id)
    records.update(job_id, state="done")
    records.remember(new_job_id(), Ticket("a", "1"))
    keys = list(records.client.scan_iter("animation:*"))
    assert len(keys) == 3
    assert all(0 < records.client.ttl(key) <= 60 for key in keys)
    records.close()


def test_redis_keeps_unfinished_jobs_no_shorter_than_others(redis_url: str) -> None:
    """Where finished jobs are to be remembered for long, so are those that wait."""
    records = RedisRecords(redis_url, UNFINISHED_EXPIRY_S * 3)
    job_id = add_job(records)
    assert records.client.ttl(f"animation:job:{job_id}") > UNFINISHED_EXPIRY_S * 2
    records.close()


def test_a_redis_that_is_away_is_said_to_be(redis_url: str) -> None:
    """Every method says so, in the error that clients are told to come back for."""
    records = RedisRecords("redis://127.0.0.1:1/0", 60)
    calls: list[Callable[[], object]] = [
        lambda: add_job(records),
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
