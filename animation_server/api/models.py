"""Requests and answers, typed. Limits that the operator sets are checked where the settings are at hand."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, field_validator

from animation_server.backdrop import Colour, parse_colour

MOBILE_MOTIONS = ("dab", "jumping", "zombie")
"""What the original mobile contract answers with, whatever the settings say."""

_Side = Annotated[int, Field(ge=16)]
_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


class AnimationWishes(BaseModel):
    """The fields beside the image of POST /v1/animations. None: as the server's settings say."""

    model_config = ConfigDict(extra="forbid")

    motions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    size: tuple[_Side, _Side] | None = None
    frames: Annotated[int, Field(ge=2)] | None = None
    fps: Annotated[float, Field(ge=1, le=50)] = 30.0
    speed: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    loop: bool = True
    format: Literal["gif", "webp", "apng", "mp4"] = "gif"
    background: Colour | Literal["sheet"] | None = None

    @field_validator("motions", mode="before")
    @classmethod
    def _split(cls, came: Any) -> Any:
        """Take repeated fields, commas, or both; drop repetitions."""
        if not isinstance(came, list):
            return came
        names = [name.strip() for entry in came for name in entry.split(",")]
        return tuple(dict.fromkeys(name for name in names if name))

    @field_validator("size", mode="before")
    @classmethod
    def _split_size(cls, came: Any) -> Any:
        """Take "WIDTHxHEIGHT", or one number for a square."""
        if not isinstance(came, str):
            return came
        sides = came.split("x")
        return sides * 2 if len(sides) == 1 else sides

    @field_validator("background", mode="before")
    @classmethod
    def _read_colour(cls, came: Any) -> Any:
        """Take "#RRGGBB", "transparent" or "sheet"."""
        if not isinstance(came, str) or came == "sheet":
            return came
        if came == "transparent":
            return None
        try:
            return parse_colour(came)
        except ValueError:
            raise ValueError('expected "transparent", "sheet" or a colour as "#RRGGBB"') from None


class Animations(BaseModel):
    """The answer of POST /v1/animations."""

    id: str
    animations: dict[str, str]


class MotionAnswer(BaseModel):
    """One motion of GET /v1/motions; duration_s in seconds."""

    name: str
    frames: int
    duration_s: float


class Motions(BaseModel):
    """The answer of GET /v1/motions."""

    motions: list[MotionAnswer]


class MobileRequest(BaseModel):
    """The original mobile contract: an image as base64, with or without a `data:` URL's head."""

    file: StrictStr

    def image(self) -> bytes:
        """Decode the image; ValueError where it is not base64."""
        head, comma, body = self.file.partition(",")
        text = body if comma and head.startswith("data:") else self.file
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
