"""Drawings in, addresses of animations out: by image, by character, and by the original mobile contract."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from animation_server.animate import AnimationOptions
from animation_server.api.answer_models import MOBILE_MOTIONS, Animations, MobileUrls
from animation_server.api.describe import Answer, Body, describe
from animation_server.api.hang_up import cancelled_by_hang_up
from animation_server.api.jobs import answer_by_job
from animation_server.api.parts import current_parts
from animation_server.api.request_log import note
from animation_server.api.request_models import AnimationWishes, MobileRequest
from animation_server.api.wishes import (
    check_no_fields,
    look_of,
    parse_fields,
    parse_json,
    read_upload,
    validate_json,
)
from animation_server.errors import InputError
from animation_server.jobs.job import JobRequest
from animation_server.service.request import AnimationRequest, AnimationResult, CharacterAnimationRequest

blueprint = Blueprint("animations", __name__)


@blueprint.post("/v1/animations")
@describe(
    "animations",
    body=Body.image(AnimationWishes),
    query=AnimationWishes,
    later=True,
    answers={200: Answer(Animations, "All animations are stored.")},
    errors=(400, 408, 413, 415, 422, 503, 504),
)
def create_animations() -> Response:
    """Animate a drawing.

    The image comes as the field `image` of a form, or as the body itself with the options in the query.
    Nothing but the animations is kept. The same image with the same options has the same addresses, and is
    rendered once.
    """
    image, (motions, look) = read_upload(_read_fields)
    later = answer_by_job(JobRequest(motions, look), image)
    return later or _answer(_animate(AnimationRequest(image, motions, look)))


@blueprint.post("/v1/characters/<character>/animations")
@describe(
    "characters",
    body=Body.json(AnimationWishes, required=False),
    later=True,
    answers={200: Answer(Animations, "All animations are stored.")},
    errors=(400, 404, 408, 413, 415, 422, 503, 504),
)
def create_character_animations(character: str) -> Response:
    """Animate a character, as it was corrected last.

    Without a body the animations are as the server's settings say. `"background": "sheet"` is for servers
    that keep drawings.
    """
    check_no_fields()
    empty = not request.content_length and not request.mimetype
    wishes = AnimationWishes() if empty else parse_json(AnimationWishes)
    motions, look = look_of(wishes, current_parts().settings)
    later = answer_by_job(JobRequest(motions, look, character))
    return later or _answer(_animate(CharacterAnimationRequest(character, motions, look)))


@blueprint.post("/")
@describe(
    "animations",
    body=Body.json(MobileRequest),
    answers={200: Answer(MobileUrls, "All animations are stored.")},
    errors=(400, 408, 413, 415, 422, 503, 504),
)
def create_mobile_animations() -> Response:
    """Animate a drawing by the original mobile contract.

    JSON with the image as base64 in, address by motion out. The Content-Type is not looked at, as ever.
    """
    check_no_fields()
    body = validate_json(MobileRequest, request.get_data(cache=False))
    try:
        image = body.image()
    except ValueError as exc:
        raise InputError(
            "file: expected an image in base64, came other characters.", code="invalid_request", status=422
        ) from exc
    if not image:
        raise InputError("Expected an image, came no bytes at all.", code="empty_image")
    motions, look = look_of(AnimationWishes(motions=MOBILE_MOTIONS), current_parts().settings)
    return jsonify(_animate(AnimationRequest(image, motions, look)).urls)


def _read_fields(fields: MultiDict[str, str]) -> tuple[tuple[str, ...], AnimationOptions]:
    parts = current_parts()
    motions, look = look_of(parse_fields(AnimationWishes, fields), parts.settings)
    parts.service.check_motions(motions)
    return motions, look


def _answer(result: AnimationResult) -> Response:
    return jsonify(Animations(id=result.id, animations=result.urls).model_dump())


def _animate(wanted: AnimationRequest | CharacterAnimationRequest) -> AnimationResult:
    """Run the service, as long as the client waits for it."""
    service = current_parts().service
    deadline = service.new_deadline()
    with cancelled_by_hang_up(deadline):
        if isinstance(wanted, AnimationRequest):
            result = service.animate(wanted, deadline=deadline)
        else:
            result = service.animate_character(wanted, deadline=deadline)
    stages_ms = {stage: round(seconds * 1000, 1) for stage, seconds in result.stages_s.items()}
    note(motions=len(wanted.motions), stages_ms=stages_ms)
    return result
