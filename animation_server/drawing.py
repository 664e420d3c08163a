"""A drawing as the service takes it in: upright, RGB, at working resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Drawing:
    """A decoded, upright photograph.

    rgb : (H, W, 3) uint8, reduced to the working resolution.
    width, height : size in pixels of the upright input at full resolution.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Full-resolution pixels per working pixel: full = working * scale."""
        return self.width / int(self.rgb.shape[1])
