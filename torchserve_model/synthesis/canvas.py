"""The page under construction: marks become ink on white, and masks, at a multiple of the final size."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.labels import PARTS
from torchserve_model.synthesis.sketch import Mark

Image = NDArray[np.uint8]

_SHIFT = 4
_RASTER = 512
"""About how many pixels a page is drawn at: thin lines turn grey when reduced, as cameras make them."""
MASK_MARGIN_PX = 1.0
"""Added to a line's width in the mask (final pixels), so that its antialiased rim belongs to the figure."""


class Canvas:
    """A square page of `size` final pixels. Ink: RGB on white, multiplied over the paper later."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.factor = max(2, round(_RASTER / size))
        side = size * self.factor
        self._ink = np.full((side, side, 3), 255, np.uint8)

    def draw(self, marks: Iterable[Mark], scale: float, offset_px: Points) -> None:
        """Draw marks; page = figure units * scale + offset, final pixels."""
        k = scale * self.factor
        offset = offset_px * self.factor
        for mark in marks:
            if mark.colour is None:
                continue
            points = _fixed(mark.points * k + offset)
            if mark.width > 0.0:
                width = max(1, round(mark.width * k))
                cv2.polylines(self._ink, [points], False, mark.colour, width, cv2.LINE_AA, _SHIFT)
            else:
                cv2.fillPoly(self._ink, [points], mark.colour, cv2.LINE_AA, _SHIFT)

    def mask(self, marks: Iterable[Mark], scale: float, offset_px: Points) -> Image:
        """(size, size) uint8 coverage of the marks that belong to the figure; areas are filled."""
        side = self.size * self.factor
        raster = np.zeros((side, side), np.uint8)
        k = scale * self.factor
        offset = offset_px * self.factor
        for mark in marks:
            if not mark.in_mask:
                continue
            points = _fixed(mark.points * k + offset)
            if mark.width > 0.0:
                width = max(1, round(mark.width * k + MASK_MARGIN_PX * self.factor))
                cv2.polylines(raster, [points], False, 255, width, cv2.LINE_8, _SHIFT)
            else:
                cv2.fillPoly(raster, [points], 255, cv2.LINE_8, _SHIFT)
        return np.asarray(
            cv2.resize(raster, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )

    def parts(self, marks: Iterable[Mark], scale: float, offset_px: Points) -> Image:
        """(size, size) uint8, 1 + the index in PARTS of the mark that lies on top; 0 without any."""
        raster = np.zeros((self.size, self.size), np.uint8)
        for mark in marks:
            part = 1 + PARTS.index(mark.part)
            points = _fixed(mark.points * scale + offset_px)
            if mark.width > 0.0:
                width = max(1, round(mark.width * scale))
                cv2.polylines(raster, [points], False, part, width, cv2.LINE_8, _SHIFT)
            else:
                cv2.fillPoly(raster, [points], part, cv2.LINE_8, _SHIFT)
        return raster

    def write(self, text: str, at_px: Points, height_px: float, font: int) -> None:
        """Set a line of type whose baseline starts at `at_px`; `font` is one of OpenCV's."""
        x, y = np.round(at_px * self.factor).astype(int).tolist()
        size = height_px * self.factor / 22.0
        cv2.putText(self._ink, text, (x, y), font, size, (30, 30, 30), max(1, round(size * 1.4)), cv2.LINE_AA)

    def ink(self) -> Image:
        """(size, size, 3) uint8 RGB ink on white at the final size."""
        return np.asarray(
            cv2.resize(self._ink, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )


def _fixed(points_px: Points) -> NDArray[np.int32]:
    # half a pixel: OpenCV's pixel centres are whole numbers, ours lie at a half
    return np.round((np.clip(points_px, -4000, 4000) - 0.5) * (1 << _SHIFT)).astype(np.int32)
