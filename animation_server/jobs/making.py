"""What a job comes down to: a call of the service, with its progress and its deadline."""

from __future__ import annotations

from collections.abc import Callable

from animation_server.jobs.job import JobRequest, JobResult
from animation_server.jobs.runner import ProgressMeter
from animation_server.service.admission import Deadline
from animation_server.service.pipeline import AnimationService
from animation_server.service.production import Progress
from animation_server.service.request import AnimationRequest, CharacterAnimationRequest
from animation_server.telemetry.request_context import REQUEST_ID

MakeJob = Callable[[JobRequest, bytes, ProgressMeter, Deadline], JobResult]
"""Makes what a request asks for of an image, which is empty where the request names a character."""


def make_with(service: AnimationService) -> MakeJob:
    """Return what lets a service make the animations of jobs."""

    def make(request: JobRequest, image: bytes, meter: ProgressMeter, deadline: Deadline) -> JobResult:
        def progress(came: Progress) -> None:
            meter.stage, meter.progress = came.stage, came.done / came.total

        REQUEST_ID.set(request.request_id)
        motions, options = request.motions, request.options
        if request.character:
            wanted = CharacterAnimationRequest(request.character, motions, options)
            result = service.animate_character(wanted, deadline=deadline, progress=progress)
        else:
            result = service.animate(
                AnimationRequest(image, motions, options), deadline=deadline, progress=progress
            )
        return JobResult(result.id, result.keys)

    return make
