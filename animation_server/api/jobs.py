"""Jobs: answers that come later. Looked at, waited for, followed as server-sent events, cancelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import Headers

from animation_server.api.access import caller
from animation_server.api.answer_models import Animations, JobAnswer, JobFailure
from animation_server.api.describe import Answer, Media, describe
from animation_server.api.errors import error_response
from animation_server.api.parts import current_parts
from animation_server.api.preferences import (
    EVENT_STREAM,
    Preferences,
    idempotency_key,
    parse_prefer,
    wants_events,
)
from animation_server.api.request_log import note, request_id
from animation_server.errors import InputError, JobsUnavailableError
from animation_server.jobs.engine import IdempotencyKey, JobEngine
from animation_server.jobs.ids import log_name
from animation_server.jobs.job import Job, JobRequest

blueprint = Blueprint("jobs", __name__)

RETRY_AFTER_S = 1
"""When to look again at a job that is not finished."""

RECONNECT_MS = 2000
"""When a browser whose stream broke connects anew."""


@blueprint.get("/v1/jobs/<job_id>")
@describe(
    "jobs",
    headers=("Prefer",),
    answers={200: Answer(JobAnswer, "The job as it is now.", headers=("Location",))},
    errors=(404, 501, 503),
)
def get_job(job_id: str) -> Response:
    """Answer with a job as it is now; with `Prefer: wait=N`, once it is finished or after N seconds."""
    jobs = _engine()
    prefer = parse_prefer(request.headers.getlist("Prefer"))
    job = jobs.get(job_id) if prefer.wait_s is None else jobs.wait(job_id, _patience(prefer))
    response = _job_response(job)
    if prefer.wait_s is not None:
        response.headers["Preference-Applied"] = f"wait={prefer.wait_s}"
    return response


@blueprint.get("/v1/jobs/<job_id>/events")
@describe(
    "jobs",
    headers=("Last-Event-ID",),
    answers={
        200: Answer(
            {EVENT_STREAM: Media({"type": "string"})}, "An event for every change.", headers=("Location",)
        ),
        204: Answer(None, "The last event has been seen already."),
    },
    errors=(404, 501, 503),
)
def get_job_events(job_id: str) -> Response:
    """Stream a job as server-sent events: now, whenever it changes, and at last when it is finished."""
    jobs = _engine()
    job = jobs.get(job_id)
    if job.is_finished and request.headers.get("Last-Event-ID") == _event_id(job):
        return Response(status=204)  # tells a browser not to connect any more
    return _event_response(jobs, job)


@blueprint.post("/v1/jobs/<job_id>/cancel")
@describe(
    "jobs",
    answers={200: Answer(JobAnswer, "The job as it is then.", headers=("Location",))},
    errors=(404, 501, 503),
)
def cancel_job(job_id: str) -> Response:
    """Cancel a job unless it is finished; answer with the job as it is then."""
    return _job_response(_engine().cancel(job_id))


@blueprint.delete("/v1/jobs/<job_id>")
@describe("jobs", answers={204: Answer(None, "Nobody knows of it any more.")}, errors=(404, 501, 503))
def delete_job(job_id: str) -> Response:
    """Cancel a job unless it is finished, and forget it. What it has made stays."""
    _engine().forget(job_id)
    return Response(status=204)


def is_for_later() -> bool:
    """Tell whether the current request asks for a job, by its headers, and there are jobs here."""
    prefer = parse_prefer(request.headers.getlist("Prefer"))
    asks = wants_events(request.accept_mimetypes) or prefer.respond_async or prefer.wait_s is not None
    return asks and current_parts().jobs is not None


def answer_by_job(wanted: JobRequest, image: bytes = b"") -> Response | None:
    """Answer a request for animations by a job, where its headers ask for that.

    Returns None where it is to be answered at once: the client asked for nothing else, or for what it would
    prefer while there are no jobs here.
    Raises InputError where its Idempotency-Key came with another request, or its motions are unknown: that
    mistake uses up no key.
    """
    jobs = current_parts().jobs
    prefer = parse_prefer(request.headers.getlist("Prefer"))
    streams = wants_events(request.accept_mimetypes)
    if jobs is None:
        if streams:
            raise _no_jobs()
        return None
    current_parts().service.check_motions(wanted.motions)
    key = _key(wanted, image)
    if not is_for_later():
        # The answer is the same however often it is asked for; only another request must not pass for it. To
        # see to that is no reason to refuse what can be answered.
        if key is not None:
            with suppress(JobsUnavailableError):
                jobs.recall(key)
        return None
    job = jobs.submit(replace(wanted, request_id=request_id()), image, key)
    note(job=log_name(job.id), motions=len(wanted.motions))
    if streams:
        return _event_response(jobs, job)
    if prefer.wait_s is not None:
        job = jobs.wait(job.id, _patience(prefer))
    waited_out = job.is_finished and prefer.wait_s is not None
    response = _result_response(job) if waited_out else _accepted_response(job)
    response.headers["Preference-Applied"] = prefer.applied
    return response


def _engine() -> JobEngine:
    jobs = current_parts().jobs
    if jobs is None:
        raise _no_jobs()
    return jobs


def _no_jobs() -> InputError:
    return InputError(
        "This server keeps no jobs. Ask without 'Accept: text/event-stream'; its operator can set "
        "ANIMATION_JOBS=celery, or in-process with one worker.",
        code="no_jobs",
        status=501,
    )


def _patience(prefer: Preferences) -> float:
    """How long to wait: as the client prefers, but no longer than for any other answer."""
    return min(float(prefer.wait_s or 0), current_parts().settings.request_deadline_s)


def _key(wanted: JobRequest, image: bytes) -> IdempotencyKey | None:
    """Return the request's idempotency key, which is the caller's own and this route's."""
    came = idempotency_key(request.headers)
    if not came:
        return None
    content = [repr((wanted.motions, wanted.options, wanted.character)), hashlib.sha256(image).hexdigest()]
    return IdempotencyKey(_digest([caller(), request.path, came]), _digest(content))


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _accepted_response(job: Job) -> Response:
    response = _job_response(job)
    response.status_code = 202
    return response


def _job_response(job: Job) -> Response:
    response = jsonify(_job_answer(job, current_parts().service.store.url).model_dump(mode="json"))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if not job.is_finished:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _result_response(job: Job) -> Response:
    """Answer with what a job came to, as if there had been none."""
    if job.error is not None:
        response = error_response(job.error.code, job.error.message, job.error.status)
        if job.error.retry_after_s is not None:
            response.headers["Retry-After"] = str(job.error.retry_after_s)
    elif job.result is None:
        response = error_response("cancelled", "The job was cancelled.", 409)
    else:
        url = current_parts().service.store.url
        links = {motion: url(key) for motion, key in job.result.keys.items()}
        response = jsonify(Animations(id=job.result.id, animations=links).model_dump())
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return response


def _job_answer(job: Job, url: Callable[[str], str]) -> JobAnswer:
    result = failure = None
    if job.result is not None:
        links = {motion: url(key) for motion, key in job.result.keys.items()}
        result = Animations(id=job.result.id, animations=links)
    if job.error is not None:
        failure = JobFailure(code=job.error.code, message=job.error.message, status=job.error.status)
    return JobAnswer(
        id=job.id,
        state=job.state,
        stage=job.stage or None,
        progress=job.progress,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        updated_at=datetime.fromtimestamp(job.updated_at, UTC),
        result=result,
        error=failure,
    )


def _event_response(jobs: JobEngine, job: Job) -> Response:
    headers = Headers({"Cache-Control": "no-store", "Location": f"/v1/jobs/{job.id}"})
    headers["X-Accel-Buffering"] = "no"  # nginx would hold events back until there are enough of them
    url = current_parts().service.store.url
    return Response(_events(jobs, job.id, url), mimetype=EVENT_STREAM, headers=headers)


def _events(jobs: JobEngine, job_id: str, url: Callable[[str], str]) -> Iterator[str]:
    yield f"retry: {RECONNECT_MS}\n\n"
    for job in jobs.follow(job_id):
        if job is None:
            yield ": nothing new\n\n"
        else:
            data = _job_answer(job, url).model_dump_json()
            yield f"id: {_event_id(job)}\nevent: {job.state}\ndata: {data}\n\n"


def _event_id(job: Job) -> str:
    return f"{job.state}-{job.progress:g}"
