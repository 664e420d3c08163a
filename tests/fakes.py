"""Stand-ins that tests put in place of the models and the renderer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions
from animation_server.annotate import Annotation
from animation_server.character import Character
from animation_server.clip import EncodedClip
from animation_server.drawing import Drawing
from animation_server.inference.contract import COCO_KEYPOINTS, Detection, Pose
from animation_server.service.renderer import MotionInfo
from tests.figures import KEYPOINTS, SIZE, draw_figure

COCO_TO_OURS = {"wrist": "hand", "ankle": "foot"}
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@dataclass
class FigureClient:
    """Knows the figure that tests.figures draws; sees nothing on sheets without ink."""

    versions: str = "figure-1"
    error: Exception | None = None
    calls: list[str] = field(default_factory=list)

    def detect(self, image: NDArray[np.uint8], timeout_s: float | None = None) -> list[Detection]:
        self._note("detect")
        dark = image.min(axis=2) < 128
        if not dark.any():
            return []
        rows, cols = np.nonzero(dark.any(axis=1))[0], np.nonzero(dark.any(axis=0))[0]
        box = (float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1))
        return [Detection(box, 0.9)]

    def estimate_pose(self, crop: NDArray[np.uint8], timeout_s: float | None = None) -> Pose:
        self._note("estimate_pose")
        height, width = crop.shape[:2]
        keypoints = np.array([(*_place(name, width, height), 0.8) for name in COCO_KEYPOINTS])
        rows = np.arange(height) * SIZE[1] // height
        cols = np.arange(width) * SIZE[0] // width
        return Pose(keypoints, draw_figure().mask[np.ix_(rows, cols)])

    def version(self) -> str:
        return self.versions

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        pass

    def _note(self, call: str) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(call)


def _place(coco_name: str, width: int, height: int) -> tuple[float, float]:
    side, _, part = coco_name.partition("_")
    ours = f"{side}_{COCO_TO_OURS.get(part, part)}" if part else side
    x, y = KEYPOINTS.get(ours, KEYPOINTS["nose"])
    return x * width / SIZE[0], y * height / SIZE[1]


@dataclass
class CountingRenderer:
    """Renders nothing, and counts how often it was asked to."""

    version: str = "counting-1"
    motions: Mapping[str, MotionInfo] = field(
        default_factory=lambda: {
            name: MotionInfo(name, 60, 2.0, f"digest of {name}") for name in ("dab", "jumping", "zombie")
        }
    )
    before_render: Callable[[], None] = lambda: None
    rendered: list[tuple[str, AnimationOptions]] = field(default_factory=list)
    prepared: int = 0
    threads: set[int] = field(default_factory=set)

    def prepare(self, character: Character) -> Any:
        self.prepared += 1
        return character

    def prepare_on_sheet(self, drawing: Drawing, annotation: Annotation) -> Any:
        return self.prepare(annotation.character)

    def render(
        self,
        prepared: Any,
        motion: str,
        options: AnimationOptions,
        progress: Callable[[int, int], None] | None = None,
    ) -> EncodedClip:
        assert isinstance(prepared, Character)
        self.before_render()
        if progress is not None:
            progress(1, 1)
        self.threads.add(threading.get_ident())
        self.rendered.append((motion, options))
        return EncodedClip(GIF, "image/gif", 1, 1, 1, 1.0)

    def warm_up(self) -> None:
        pass
