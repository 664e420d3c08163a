"""What requests hold, typed: validated here, and shown in the OpenAPI document.

Limits that the operator sets are checked where the settings are at hand; see `wishes` and `openapi`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from animation_server.render.backdrop import Colour, parse_colour

LEAST_SIDE = 16

_SIZE = re.compile(r"([0-9]{1,6})(?:x([0-9]{1,6}))?")
_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")

KeypointName = Literal[
    "nose",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_hand",
    "right_hand",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_foot",
    "right_foot",
]


def _split_motions(came: Any) -> Any:
    """Take names repeated, between commas, or both."""
    if isinstance(came, list) and all(isinstance(entry, str) for entry in came):
        return tuple(name for entry in came for name in (part.strip() for part in entry.split(",")) if name)
    return _refuse_null(came)


def _refuse_null(came: Any) -> Any:
    """Left out is left out; null is a mistake."""
    if came is None:
        raise ValueError("expected a value")
    return came


def _read_int(came: Any) -> Any:
    """Take 20.0 for 20, which in JSON are the same number."""
    return int(came) if isinstance(came, float) and came.is_integer() else _refuse_null(came)


def _split_size(came: Any) -> Any:
    """Take "WIDTHxHEIGHT", or one number for a square."""
    came = _read_int(came)
    match = _SIZE.fullmatch(str(came)) if isinstance(came, str | int) and not isinstance(came, bool) else None
    if match is None:
        raise ValueError('expected "WIDTHxHEIGHT" or one number')
    width, height = match.groups()
    return int(width), int(height or width)


def _read_background(came: Any) -> Any:
    """Take "#RRGGBB", "transparent" or "sheet"."""
    if came == "transparent":
        return None
    try:
        return came if came == "sheet" else parse_colour(came)
    except (ValueError, TypeError):
        raise ValueError('expected "transparent", "sheet" or a colour as "#RRGGBB"') from None


def _read_bool(came: Any, info: ValidationInfo) -> Any:
    """Take what a form holds; JSON has its own."""
    if info.mode == "json" or isinstance(came, bool):
        return came
    if came not in ("true", "false"):
        raise ValueError('expected "true" or "false"')
    return came == "true"


Side = Annotated[int, Field(ge=LEAST_SIDE)]


class RequestFields(BaseModel):
    """What requests hold, and nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


class AnimationWishes(RequestFields):
    """What the animations are to be like. What is left out is as the server's settings say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"motions": ["dab", "zombie"], "size": "300x400", "format": "gif"}]},
    )

    motions: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1)] | None,
        BeforeValidator(_split_motions),
        Field(description="Names of motions, as GET /v1/motions lists them."),
        WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
    ] = None
    size: Annotated[
        tuple[Side, Side] | None,
        BeforeValidator(_split_size),
        Field(description="Width and height in pixels, or one number for a square."),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": LEAST_SIDE},
                    {"type": "string", "format": "pixels", "examples": ["300x400"]},
                ]
            }
        ),
    ] = None
    frames: Annotated[
        int | None,
        BeforeValidator(_read_int),
        Field(ge=2, description="Frames wanted over the motion's duration; no more than 50 a second."),
        WithJsonSchema({"type": "integer", "minimum": 2}),
    ] = None
    fps: Annotated[float, Field(ge=1, le=50, description="Most frames a second.")] = 30.0
    speed: Annotated[float, Field(ge=0.1, le=10, description="Divides the duration.")] = 1.0
    loop: Annotated[bool, BeforeValidator(_read_bool), Field(description="Whether it is repeated.")] = True
    format: Annotated[Literal["gif", "webp", "apng", "mp4"], Field(description="Kind of file.")] = "gif"
    background: Annotated[
        Colour | Literal["sheet"] | None,
        BeforeValidator(_read_background),
        Field(description="Behind the figure; `sheet` is the drawing itself with the figure taken out."),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": "^(transparent|sheet|#[0-9a-fA-F]{6})$",
                "default": "transparent",
                "examples": ["#ffffff"],
            }
        ),
    ] = None

    @field_validator("fps", "speed", mode="before")
    @classmethod
    def _refuse_bool(cls, came: Any) -> Any:
        if isinstance(came, bool):
            raise ValueError("expected a number")
        return came


class NoFields(RequestFields):
    """Nothing beside the image."""


class MobileRequest(BaseModel):
    """The original mobile contract: an image as base64, with or without a `data:` URL's head."""

    file: Annotated[StrictStr, Field(json_schema_extra={"format": "base64-image"})]

    def image(self) -> bytes:
        """Decode the image; ValueError where it is not base64."""
        return decode_base64(self.file)


Coordinate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CharacterCorrection(RequestFields):
    """What a person sees better than the models. What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keypoints": {"left_hand": [512, 340.5]}}]})

    keypoints: Annotated[
        dict[KeypointName, tuple[Coordinate, Coordinate]],
        Field(description="Joints to move: x and y in pixels of the upright image."),
    ] = {}
    mask: Annotated[
        StrictStr | None,
        BeforeValidator(_refuse_null),
        Field(description="A PNG of the texture's size, white on the figure, as base64."),
        WithJsonSchema({"type": "string", "format": "base64-mask"}),
    ] = None


def decode_base64(text: str) -> bytes:
    """Decode base64, with or without a `data:` URL's head; ValueError where it is something else."""
    head, comma, body = text.partition(",")
    text = body if comma and head.startswith("data:") else text
    # Phones' encoders break lines, use the URL alphabet or leave the padding out.
    text = "".join(text.split()).translate(_URL_SAFE_TO_STANDARD).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64") from None
