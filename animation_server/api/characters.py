"""Characters: made of a drawing once, read, corrected by people, and deleted with all that came of them."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, url_for

from animation_server.api.answer_models import CharacterAnswer, CharacterUrls, Keypoint, Picture, Texture
from animation_server.api.conditional import answer_json, check_if_match, revision_etag
from animation_server.api.describe import Answer, Body, describe
from animation_server.api.hang_up import cancelled_by_hang_up
from animation_server.api.mask_image import decode_mask
from animation_server.api.parts import current_parts
from animation_server.api.request_log import note
from animation_server.api.request_models import CharacterCorrection, KeypointName, NoFields, decode_base64
from animation_server.api.wishes import check_no_fields, parse_fields, parse_json, read_upload
from animation_server.errors import InputError
from animation_server.service.character_record import Correction, StoredCharacter
from animation_server.storage.keys import is_id

blueprint = Blueprint("characters", __name__)


@blueprint.post("/v1/characters")
@describe(
    "characters",
    body=Body.image(NoFields),
    answers={201: Answer(CharacterAnswer, "The character is kept.", headers=("ETag", "Location"))},
    errors=(400, 408, 413, 415, 422, 503, 504),
)
def create_character() -> Response:
    """Make a character of a drawing.

    The figure is found, its joints are located and it is cut out, once. It is kept until it is deleted, every
    time as a new character; the drawing itself is kept only where the server is set to.
    """
    image, _ = read_upload(lambda fields: parse_fields(NoFields, fields))
    service = current_parts().service
    deadline = service.new_deadline()
    with cancelled_by_hang_up(deadline):
        result = service.create_character(image, deadline=deadline)
    note(stages_ms={stage: round(seconds * 1000, 1) for stage, seconds in result.stages_s.items()})
    response = _answer(result.character)
    response.status_code = 201
    response.headers["Location"] = url_for("characters.read_character", character=result.character.id)
    return response


@blueprint.get("/v1/characters/<character>")
@describe(
    "characters",
    conditional=True,
    answers={200: Answer(CharacterAnswer, "As it was corrected last.", headers=("ETag",))},
    errors=(404, 503, 504),
)
def read_character(character: str) -> Response:
    """Read a character."""
    service = current_parts().service
    return _answer(service.characters.read(character, service.new_deadline()))


@blueprint.patch("/v1/characters/<character>")
@describe(
    "characters",
    body=Body.json(CharacterCorrection),
    if_match=True,
    answers={200: Answer(CharacterAnswer, "The corrected character.", headers=("ETag",))},
    errors=(400, 404, 408, 409, 412, 413, 415, 422, 503, 504),
)
def correct_character(character: str) -> Response:
    """Correct a character's joints or mask.

    What is left out stays. With If-Match, only if nobody has corrected it since it was read. Animations made
    before stay where they are; new ones follow the correction.
    """
    check_no_fields()
    wanted = parse_json(CharacterCorrection)
    service = current_parts().service
    deadline = service.new_deadline()
    stored = service.characters.read(character, deadline)
    check_if_match(stored.revision)
    mask = None if wanted.mask is None else decode_mask(_mask_bytes(wanted.mask), stored.texture_size)
    places = {str(name): place for name, place in wanted.keypoints.items()}
    return _answer(service.correct_character(stored, Correction(places, mask), deadline))


@blueprint.delete("/v1/characters/<character>")
@describe(
    "characters",
    answers={204: Answer(None, "Nothing of it is there any more.")},
    errors=(404, 503, 504),
)
def delete_character(character: str) -> Response:
    """Delete a character and everything made from its drawing.

    Takes the id of an answer of POST /v1/animations, too: the animations of that drawing are deleted. What is
    gone already is no error. Copies that clients or caches keep are out of the server's reach.
    """
    check_no_fields()
    if not is_id(character):
        raise InputError("Expected the id of a character or an animation.", code="not_found", status=404)
    service = current_parts().service
    service.characters.delete(character, service.new_deadline())
    return Response(status=204)


def _answer(stored: StoredCharacter) -> Response:
    store = current_parts().service.store
    width, height = stored.texture_size
    left, top, right, bottom = stored.bbox_xyxy
    keypoints = {
        name: (round(x, 2), round(y, 2), round(score, 4))
        for name, (x, y, score) in stored.keypoints_full.items()
    }
    answer = CharacterAnswer(
        id=stored.id,
        revision=stored.revision,
        image=Picture(width=stored.width, height=stored.height),
        bbox_xyxy=(round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)),
        score=round(stored.score, 4),
        keypoints=cast("dict[KeypointName, Keypoint]", keypoints),
        texture=Texture(width=width, height=height, scale=stored.texture_scale, offset=stored.texture_offset),
        urls=CharacterUrls(
            texture=store.url(stored.texture), mask=store.url(stored.mask), overlay=store.url(stored.overlay)
        ),
    )
    return answer_json(answer, revision_etag(stored.revision, store.url_life_s))


def _mask_bytes(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as exc:
        raise InputError(
            "mask: expected a PNG as base64, came other characters.", code="invalid_mask", status=422
        ) from exc
