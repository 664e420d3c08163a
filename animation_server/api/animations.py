"""Drawings in, addresses of animations out; and what motions there are."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from animation_server.admission import Deadline
from animation_server.animate import AnimationOptions
from animation_server.api.errors import invalid
from animation_server.api.hang_up import cancelled_by_hang_up
from animation_server.api.jobs import answer_by_job
from animation_server.api.models import (
    MOBILE_MOTIONS,
    Animations,
    AnimationWishes,
    MobileRequest,
    MotionAnswer,
    Motions,
)
from animation_server.api.parts import current_parts
from animation_server.api.request_log import note
from animation_server.errors import InputError
from animation_server.jobs.job import JobRequest
from animation_server.pipeline import AnimationRequest, AnimationResult

blueprint = Blueprint("animations", __name__)

_HOW = "Send the image as the multipart field 'image', or as the body itself with Content-Type image/*."


@blueprint.post("/v1/animations")
def create_animations() -> Response:
    """Animate an image that comes as a multipart field or as the body itself."""
    image, fields = _read_upload()
    wanted = _wanted(image, _parse_wishes(fields))
    later = answer_by_job(JobRequest(wanted.motions, wanted.options), image)
    if later is not None:
        return later
    result = _animate(wanted)
    return jsonify(Animations(id=result.id, animations=result.urls).model_dump())


@blueprint.post("/")
def create_mobile_animations() -> Response:
    """Animate an image by the original mobile contract: JSON with base64 in, motion -> address out."""
    try:
        body = MobileRequest.model_validate_json(request.get_data(cache=False))
    except ValidationError as exc:
        if exc.errors()[0]["type"] == "json_invalid":
            raise InputError(
                'Expected JSON of the form {"file": BASE64}, came something else.', code="invalid_json"
            ) from exc
        raise invalid(exc) from exc
    try:
        image = body.image()
    except ValueError as exc:
        raise InputError(
            "file: expected an image in base64, came other characters.", code="invalid_request", status=422
        ) from exc
    return jsonify(_animate(_wanted(image, AnimationWishes(motions=MOBILE_MOTIONS))).urls)


@blueprint.get("/v1/motions")
def list_motions() -> Response:
    """List the motions that can be asked for."""
    known = current_parts().service.renderer.motions.values()
    answers = [MotionAnswer(name=m.name, frames=m.frames, duration_s=m.duration_s) for m in known]
    return jsonify(Motions(motions=answers).model_dump())


def _read_upload() -> tuple[bytes, MultiDict[str, str]]:
    """Return the image's bytes and the fields beside it."""
    if request.mimetype == "multipart/form-data":
        file = request.files.get("image")
        if file is None:
            raise InputError(f"Expected a file in the field 'image', came none. {_HOW}", code="missing_image")
        return file.read(), request.form
    if request.mimetype.startswith("image/") or request.mimetype == "application/octet-stream":
        return request.get_data(cache=False), request.args
    raise InputError(
        f"Expected an image, came Content-Type {request.mimetype[:80] or 'none'!r}. {_HOW}",
        code="unsupported_media_type",
        status=415,
    )


def _parse_wishes(fields: MultiDict[str, str]) -> AnimationWishes:
    values: dict[str, Any] = fields.to_dict()
    if "motions" in fields:
        values["motions"] = fields.getlist("motions")
    try:
        return AnimationWishes.model_validate(values)
    except ValidationError as exc:
        raise invalid(exc) from exc


def _wanted(image: bytes, wishes: AnimationWishes) -> AnimationRequest:
    """Apply the settings' defaults and limits."""
    settings = current_parts().settings
    motions = wishes.motions or settings.motions
    _check_limit("motions", len(motions), settings.max_motions)
    if not image:
        raise InputError("Expected an image, came no bytes at all.", code="empty_image")
    size = wishes.size or (settings.size, settings.size)
    look = AnimationOptions(
        size=(
            _check_limit("size", size[0], settings.max_size),
            _check_limit("size", size[1], settings.max_size),
        ),
        format=wishes.format,
        max_frames=None if wishes.frames else settings.frames,
        frames=wishes.frames and _check_limit("frames", wishes.frames, settings.max_frames),
        max_fps=wishes.fps,
        background=wishes.background,
        speed=wishes.speed,
        loop=wishes.loop,
    )
    return AnimationRequest(image, motions, look)


def _animate(wanted: AnimationRequest) -> AnimationResult:
    """Run the service, as long as the client waits for it."""
    parts = current_parts()
    deadline = Deadline.after(parts.settings.request_deadline_s)
    with cancelled_by_hang_up(deadline):
        result = parts.service.animate(wanted, deadline=deadline)
    stages_ms = {stage: round(seconds * 1000, 1) for stage, seconds in result.stages_s.items()}
    note(motions=len(wanted.motions), stages_ms=stages_ms)
    return result


def _check_limit(name: str, value: int, limit: int) -> int:
    if value > limit:
        raise InputError(f"{name}: expected at most {limit}, came {value}.", code="over_limit", status=422)
    return value
