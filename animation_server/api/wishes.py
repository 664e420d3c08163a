"""What a request wants, read from wherever it stands and held against the operator's limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from animation_server.animate import AnimationOptions
from animation_server.api.errors import invalid
from animation_server.api.request_models import AnimationWishes
from animation_server.errors import InputError
from animation_server.settings import Settings

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

_HOW = "Send the image as the multipart field 'image', or as the body itself with Content-Type image/*."


def read_upload(read_fields: Callable[[MultiDict[str, str]], T]) -> tuple[bytes, T]:
    """Return the image's bytes and what the fields beside it say: those of the form, else of the query.

    read_fields : reads and checks fields; given the query's by themselves, too, for what makes no sense is
        refused also where the form says otherwise.
    """
    fields = MultiDict(request.args)
    read = read_fields(fields)
    if request.mimetype == "multipart/form-data":
        file = request.files.get("image")
        if file is None:
            raise InputError(f"Expected a file in the field 'image', came none. {_HOW}", code="missing_image")
        for name, came in request.form.lists():
            fields.setlist(name, came)
        read = read_fields(fields)
        image = file.read()
    elif request.mimetype.startswith("image/") or request.mimetype == "application/octet-stream":
        image = request.get_data(cache=False)
    else:
        raise InputError(
            f"Expected an image, came Content-Type {request.mimetype[:80] or 'none'!r}. {_HOW}",
            code="unsupported_media_type",
            status=415,
        )
    if not image:
        raise InputError("Expected an image, came no bytes at all.", code="empty_image")
    return image, read


def parse_fields(model: type[Model], fields: MultiDict[str, str]) -> Model:
    """Read a model from a form's fields or a query; only `motions` may be repeated."""
    values: dict[str, Any] = {}
    for name, came in fields.lists():
        if name != "motions" and len(came) > 1:
            raise InputError(
                f"{name[:40]}: expected it once, came {len(came)} times.", code="invalid_request", status=422
            )
        values[name] = came if name == "motions" else came[0]
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise invalid(exc) from exc


def parse_json(model: type[Model]) -> Model:
    """Read a model from the request's body."""
    if not request.is_json:
        raise InputError(
            f"Expected Content-Type application/json, came {request.mimetype[:80] or 'none'!r}.",
            code="unsupported_media_type",
            status=415,
        )
    return validate_json(model, request.get_data(cache=False))


def validate_json(model: type[Model], body: bytes) -> Model:
    """Read a model from JSON: 400 for what is none, 422 for what has another form."""
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as exc:
        if exc.errors()[0]["type"] != "json_invalid":
            raise invalid(exc) from exc
        example = model.model_json_schema().get("examples", [None])[0]
        form = f" of the form {json.dumps(example)}" if example else ""
        raise InputError(f"Expected JSON{form}, came something else.", code="invalid_json") from exc


def check_no_fields() -> None:
    """Raise InputError where a query came to a call that takes none."""
    if request.args:
        name = next(iter(request.args))
        raise InputError(f"{name[:40]}: no such field.", code="invalid_request", status=422)


def look_of(wishes: AnimationWishes, settings: Settings) -> tuple[tuple[str, ...], AnimationOptions]:
    """Apply the settings' defaults and limits; returns the motions and the look."""
    motions = wishes.motions or settings.motions
    _check_limit("motions", len(motions), settings.max_motions)
    width, height = wishes.size or (settings.size, settings.size)
    look = AnimationOptions(
        size=(
            _check_limit("size", width, settings.max_size),
            _check_limit("size", height, settings.max_size),
        ),
        format=wishes.format,
        max_frames=None if wishes.frames else settings.frames,
        frames=wishes.frames and _check_limit("frames", wishes.frames, settings.max_frames),
        max_fps=wishes.fps,
        background=wishes.background,
        speed=wishes.speed,
        loop=wishes.loop,
    )
    return tuple(dict.fromkeys(motions)), look


def _check_limit(name: str, value: int, limit: int) -> int:
    if value > limit:
        raise InputError(f"{name}: expected at most {limit}, came {value}.", code="over_limit", status=422)
    return value
