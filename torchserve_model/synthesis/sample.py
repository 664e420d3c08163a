"""Training examples: whole sheets for the detector, crops of one figure for pose and mask."""

from __future__ import annotations

from torchserve_model.synthesis.crop import draw_crop, draw_other_crop
from torchserve_model.synthesis.labels import KEYPOINTS, PARTS, Figure, Sheet
from torchserve_model.synthesis.sheet import draw_sheet

__all__ = ["KEYPOINTS", "PARTS", "Figure", "Sheet", "draw_crop", "draw_other_crop", "draw_sheet"]
