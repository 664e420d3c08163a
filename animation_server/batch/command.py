"""The command `animation-server batch`: a progress bar while it runs, what failed at the end."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType

from tqdm import tqdm

from animation_server.batch.by_jobs import BatchByJobs
from animation_server.batch.inputs import BatchInput
from animation_server.batch.journal import Journal, Outcome
from animation_server.batch.plan import BatchPlan, open_output, recipe
from animation_server.batch.pool import make_in_pool
from animation_server.concurrency import ThreadExecutor, usable_cores
from animation_server.errors import DependencyError, InputError, SettingsError
from animation_server.telemetry.observer import Unwatched

MOST_SHOWN = 20
"""Failures told in full; of the others, how many."""

DONE, BUG, BAD_INPUT, DEPENDENCY_FAILED = 0, 1, 3, 4


def run_batch(plan: BatchPlan, items: Sequence[BatchInput], workers: int | None) -> int:
    """Make all drawings and report on stderr; returns the exit status.

    workers : processes of this machine; None for Celery's workers where the settings name them, else for as
    many as there are cores. The batch stops at the first drawing for which the models or the store were away
    for good: the others would fare no better, and a batch that is started again goes on from there. Raises
    DependencyError where Redis or the output do not answer.
    """
    _check_output(plan)
    outcomes: list[Outcome] = []
    try:
        with _stopped_by_sigterm(), _making(plan, items, workers) as coming:
            for outcome in tqdm(coming, total=len(items), unit="drawing", desc="batch", disable=None):
                outcomes.append(outcome)
                if outcome.may_pass:
                    break
    except DependencyError:
        _report(outcomes, len(items))
        raise
    return _report(outcomes, len(items))


def _check_output(plan: BatchPlan) -> None:
    """Raise what is wrong with the output once, instead of for every drawing."""
    executor = ThreadExecutor(1)
    try:
        with closing(open_output(plan, executor)) as output:
            output.check()
    finally:
        executor.close()


@contextmanager
def _making(plan: BatchPlan, items: Sequence[BatchInput], workers: int | None) -> Iterator[Iterable[Outcome]]:
    if workers is None and plan.settings.jobs == "celery":
        with _by_jobs(plan) as batch, closing(batch.make(items)) as coming:
            yield coming
    else:
        with closing(make_in_pool(plan, items, workers or usable_cores())) as coming:
            yield coming


@contextmanager
def _by_jobs(plan: BatchPlan) -> Iterator[BatchByJobs]:
    from animation_server.app import make_jobs, make_service
    from animation_server.jobs.job import JobRequest

    motions = [motion for motion in plan.motions if isinstance(motion, str)]
    if len(motions) != len(plan.motions) or plan.picture is not None:
        raise InputError(
            "Workers know bundled motions, colours and 'sheet', no files of this machine's. "
            "Name --workers to work on it here."
        )
    service = make_service(plan.settings)
    engine = make_jobs(plan.settings, service, Unwatched())
    if engine is None:
        raise SettingsError("ANIMATION_JOBS: expected celery, came none")
    executor = ThreadExecutor(1)
    output = open_output(plan, executor)
    digests = [service.renderer.motions[name].digest for name in motions]
    made_by = recipe(plan, digests, service.client.version(), service.renderer.version)
    request = JobRequest(tuple(motions), plan.options)
    try:
        yield BatchByJobs(request, engine, service.store, output, Journal(output, made_by))
    finally:
        engine.close()
        output.close()
        executor.close()
        service.close()


def _report(outcomes: Sequence[Outcome], total: int) -> int:
    counts = Counter(outcome.state for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    lines = [f"{counts['done']} made, {counts['skipped']} made before, {counts['failed']} failed"]
    lines += [f"  {outcome.item.path}: {outcome.code}: {outcome.message}" for outcome in failed[:MOST_SHOWN]]
    if len(failed) > MOST_SHOWN:
        lines.append(f"  and {len(failed) - MOST_SHOWN} more")
    if len(outcomes) < total:
        lines.append(f"stopped with {total - len(outcomes)} not begun; start it again to go on")
    sys.stderr.write("\n".join(lines) + "\n")
    if any(outcome.may_pass for outcome in failed):
        return DEPENDENCY_FAILED
    if any(outcome.code == "internal_error" for outcome in failed):
        return BUG
    return BAD_INPUT if failed else DONE


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop the batch as Ctrl-C does: what is under way is finished first."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
