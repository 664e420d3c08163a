"""Requests and answers, typed: what is validated, what is sent, and what the OpenAPI document shows.

Limits that the operator sets are checked where the settings are at hand; see `wishes` and `openapi`.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from animation_server.render.backdrop import Colour, parse_colour

MOBILE_MOTIONS = ("dab", "jumping", "zombie")
"""What the original mobile contract answers with, whatever the settings say."""

LEAST_SIDE = 16

_EXAMPLE_ID = "3f2a9c1b7d604e5f8a9b0c1d2e3f4a5b"
_EXAMPLE_URL = (
    "http://127.0.0.1:8000/objects/9d0c4a7be1f2430586bb4c1a7e5d2f10/dab-0f1e2d3c4b5a69788796a5b4.gif"
)
_EXAMPLE_FOLDER = "http://127.0.0.1:8000/objects/characters/f8f9e749e3a5be69ccf5772b077da526"
_SIZE = re.compile(r"([0-9]{1,6})(?:x([0-9]{1,6}))?")
_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


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


class Animations(BaseModel):
    """Where the animations are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": _EXAMPLE_ID, "animations": {"dab": _EXAMPLE_URL}}]}
    )

    id: Annotated[
        str, Field(description="Names what was animated; deletes it with DELETE /v1/characters/{id}.")
    ]
    animations: Annotated[dict[str, str], Field(description="Address of each motion's file.")]


class MotionAnswer(BaseModel):
    """One motion that can be asked for."""

    name: str
    frames: Annotated[int, Field(description="Of the whole clip.")]
    duration_s: Annotated[float, Field(description="Seconds, at speed 1.")]
    preview_url: Annotated[
        str, Field(description="A small animation of it; made when it is first asked for.")
    ]


class Motions(BaseModel):
    """The motions that can be asked for."""

    motions: list[MotionAnswer]


class MobileUrls(RootModel[dict[str, str]]):
    """Address of each motion's GIF."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [dict.fromkeys(MOBILE_MOTIONS, _EXAMPLE_URL)]},
    )


class MobileRequest(BaseModel):
    """The original mobile contract: an image as base64, with or without a `data:` URL's head."""

    file: Annotated[StrictStr, Field(json_schema_extra={"format": "base64-image"})]

    def image(self) -> bytes:
        """Decode the image; ValueError where it is not base64."""
        return decode_base64(self.file)


class Picture(BaseModel):
    """Size of a picture in pixels."""

    width: int
    height: int


class Texture(Picture):
    """The crop that the character is made of: image = texture * scale + offset."""

    scale: float
    offset: tuple[float, float]


class CharacterUrls(BaseModel):
    """Where a character's pictures are."""

    texture: Annotated[str, Field(description="The crop of the drawing.")]
    mask: Annotated[str, Field(description="White on the figure, of the texture's size.")]
    overlay: Annotated[
        str, Field(description="Mask and joints drawn over the texture, for people to look at.")
    ]


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
Coordinate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Keypoint = Annotated[
    tuple[float, float, float],
    Field(description="x and y in pixels of the upright image, and the confidence, 0 to 1."),
]


class CharacterAnswer(BaseModel):
    """A figure cut out of its drawing. Places are pixels of the upright image, x right, y down."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _EXAMPLE_ID,
                    "revision": 1,
                    "image": {"width": 1000, "height": 944},
                    "bbox_xyxy": [55.36, 0.0, 885.73, 884.15],
                    "score": 0.9393,
                    "keypoints": {"nose": [440.89, 219.07, 0.8124], "left_hand": [802.18, 380.02, 0.7748]},
                    "texture": {"width": 543, "height": 568, "scale": 1.58, "offset": [41.41, 0.29]},
                    "urls": {
                        name: f"{_EXAMPLE_FOLDER}/{name}-0c91f2f5ea9f8f14.png"
                        for name in ("texture", "mask", "overlay")
                    },
                }
            ]
        }
    )

    id: Annotated[str, Field(description="Who knows it may read, change and delete the character.")]
    revision: Annotated[int, Field(description="One more with every correction; the ETag begins with it.")]
    image: Annotated[Picture, Field(description="The upright drawing at full resolution.")]
    bbox_xyxy: Annotated[
        tuple[float, float, float, float], Field(description="Left, top, right and bottom of the figure.")
    ]
    score: Annotated[float, Field(description="The detector's confidence, 0 to 1.")]
    keypoints: Annotated[
        dict[KeypointName, Keypoint],
        Field(description="The figure's joints; left and right are its own. 1 where a person placed it."),
    ]
    texture: Texture
    urls: CharacterUrls


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


class JobFailure(BaseModel):
    """Why a job failed: what the same request would have been answered without a job."""

    code: str
    message: str
    status: int


class JobAnswer(BaseModel):
    """A job as it is now. `stage` is set while it runs, `result` once it is done, `error` once it failed."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str | None
    progress: Annotated[float, Field(ge=0, le=1)]
    created_at: datetime
    updated_at: datetime
    result: Animations | None
    error: JobFailure | None


class NoFields(RequestFields):
    """Nothing beside the image."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: Annotated[str, Field(description="Stable name for programs.")]
    message: Annotated[str, Field(description="For people: what was expected, and what came.")]
    request_id: Annotated[str, Field(description="As in X-Request-ID; names the request in the log.")]


class ErrorAnswer(BaseModel):
    """Every error has this shape."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ok": False,
                    "error": {
                        "code": "no_figure",
                        "message": "Expected a drawing of a figure with head, arms and legs; found none.",
                        "request_id": _EXAMPLE_ID,
                    },
                }
            ]
        }
    )

    ok: Literal[False]
    error: ErrorDetail


class Health(BaseModel):
    """The process is alive."""

    ok: Literal[True]


class Readiness(BaseModel):
    """Everything the service leans on answers; or, with `ok` false and an error, something does not."""

    ok: Literal[True]
    checks: dict[str, Literal["ok", "running", "failing"]]
