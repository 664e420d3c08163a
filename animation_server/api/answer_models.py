"""What answers hold, typed: sent as it stands here, and shown in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from animation_server.api.request_models import KeypointName

MOBILE_MOTIONS = ("dab", "jumping", "zombie")
"""What the original mobile contract answers with, whatever the settings say."""

_EXAMPLE_ID = "3f2a9c1b7d604e5f8a9b0c1d2e3f4a5b"
_EXAMPLE_URL = (
    "http://127.0.0.1:8000/objects/9d0c4a7be1f2430586bb4c1a7e5d2f10/dab-0f1e2d3c4b5a69788796a5b4.gif"
)
_EXAMPLE_FOLDER = "http://127.0.0.1:8000/objects/characters/f8f9e749e3a5be69ccf5772b077da526"


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
