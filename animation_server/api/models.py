"""Requests and answers, typed. Limits that the operator sets are checked where the settings are at hand."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, field_validator

MOBILE_MOTIONS = ("dab", "jumping", "zombie")
"""What the original mobile contract answers with, whatever the settings say."""

_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


class AnimationOptions(BaseModel):
    """The fields beside the image of POST /v1/animations. None: as the server's settings say."""

    model_config = ConfigDict(extra="forbid")

    motions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    size: Annotated[int, Field(ge=16)] | None = None
    frames: Annotated[int, Field(ge=2)] | None = None
    format: Literal["gif"] = "gif"

    @field_validator("motions", mode="before")
    @classmethod
    def _split(cls, came: Any) -> Any:
        """Take repeated fields, commas, or both; drop repetitions."""
        if not isinstance(came, list):
            return came
        names = [name.strip() for entry in came for name in entry.split(",")]
        return tuple(dict.fromkeys(name for name in names if name))


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
