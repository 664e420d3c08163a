"""The one place that knows how an image lies in a network's square input. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_VALUE = 127
"""Grey of the part of the square that the image leaves free; the networks were trained with it."""


@dataclass(frozen=True)
class Letterbox:
    """An image scaled, keeping its aspect, to the middle of a square.

    Frames: image pixels and network pixels, both continuous, x right and y down, the centre of the first
    pixel at (0.5, 0.5).

    image_hw : height and width of the image.
    size : pixels a side of the square.
    inner_hw : height and width of the scaled image in the square.
    offset_xy : left and top edge of the scaled image in the square.
    """

    image_hw: tuple[int, int]
    size: int
    inner_hw: tuple[int, int]
    offset_xy: tuple[int, int]

    @classmethod
    def fit(cls, height: int, width: int, size: int, fill: float = 1.0) -> Letterbox:
        """Place an image of the given size; ValueError when it has no pixels.

        fill : share of the square's side that the image's longer side takes.
        """
        if height < 1 or width < 1:
            raise ValueError(f"image: want at least 1 x 1 pixels, got {height} x {width}")
        scale = fill * size / max(height, width)
        # as much padding on one side as on the other, so that a mirrored image lies mirrored
        high, wide = (max(1, size - 2 * round((size - pixels * scale) / 2)) for pixels in (height, width))
        inner = (high, wide)
        return cls((height, width), size, inner, ((size - inner[1]) // 2, (size - inner[0]) // 2))

    @property
    def scale_xy(self) -> NDArray[np.float64]:
        """(2,) float64, network pixels per image pixel; x and y differ by rounding only."""
        return np.array(
            [self.inner_hw[1] / self.image_hw[1], self.inner_hw[0] / self.image_hw[0]], dtype=np.float64
        )

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Scale an (H, W) or (H, W, 3) uint8 image into (size, size) or (size, size, 3)."""
        if image.shape[:2] != self.image_hw:
            raise ValueError(f"image: want {self.image_hw} pixels (height, width), got {image.shape[:2]}")
        height, width = self.inner_hw
        shrinks = height < self.image_hw[0] or width < self.image_hw[1]
        # Area averaging keeps thin pencil lines when shrinking; it would be blocky when growing.
        scaled = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        square = np.full((self.size, self.size, *image.shape[2:]), PAD_VALUE, dtype=np.uint8)
        left, top = self.offset_xy
        square[top : top + height, left : left + width] = scaled
        return square

    def points_to_network(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) x, y from image to network pixels."""
        return np.asarray(points, dtype=np.float64) * self.scale_xy + np.asarray(self.offset_xy, np.float64)

    def points_to_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) x, y from network to image pixels."""
        return (np.asarray(points, dtype=np.float64) - np.asarray(self.offset_xy, np.float64)) / self.scale_xy

    def boxes_to_image(self, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 4) boxes from network to image pixels, clipped to the image."""
        boxes = np.asarray(boxes_xyxy, dtype=np.float64)
        corners = self.points_to_image(boxes.reshape(*boxes.shape[:-1], 2, 2))
        limit = np.array([self.image_hw[1], self.image_hw[0]], dtype=np.float64)
        return np.clip(corners, 0.0, limit).reshape(boxes.shape)

    def map_to_image(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Resample a (size, size) map, such as a mask's probability, to the image's own (H, W), smoothly."""
        left, top = self.offset_xy
        inner = values[top : top + self.inner_hw[0], left : left + self.inner_hw[1]]
        height, width = self.image_hw
        shrinks = height < self.inner_hw[0]
        resized = cv2.resize(
            np.ascontiguousarray(inner, dtype=np.float32),
            (width, height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
        )
        return np.asarray(resized, dtype=np.float32)
