"""Body plans: which parts a figure has, what they are shaped like and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TORSO_PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    # half width (share of the widest) by height from top (0) to bottom (1)
    "box": ((0, 1), (1, 1)),
    "trapezoid": ((0, 0.7), (1, 1)),
    "wedge": ((0, 1), (1, 0.6)),
    "triangle": ((0, 0.06), (1, 1)),
    "cone": ((0, 0.25), (1, 1)),
    "hourglass": ((0, 0.9), (0.45, 0.55), (1, 1)),
    "dress": ((0, 0.42), (0.15, 0.5), (0.4, 0.38), (1, 1)),
    "gown": ((0, 0.35), (0.25, 0.32), (0.6, 0.6), (1, 1)),
    "coat": ((0, 0.62), (0.1, 0.75), (1, 1)),
    "bell": ((0, 0.4), (0.3, 0.55), (0.8, 0.85), (1, 1)),
}
ROUND_PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    "pear": ((0, 0.3), (0.15, 0.48), (0.4, 0.62), (0.7, 1), (0.9, 0.82), (1, 0.35)),
    "bean": ((0, 0.3), (0.1, 0.8), (0.4, 1), (0.7, 0.95), (0.92, 0.7), (1, 0.3)),
    "bulb": ((0, 0.28), (0.18, 0.3), (0.4, 0.75), (0.65, 1), (0.9, 0.75), (1, 0.35)),
    "bottle": ((0, 0.3), (0.25, 0.32), (0.4, 0.85), (0.5, 1), (0.95, 1), (1, 0.9)),
    "drop": ((0, 0.04), (0.2, 0.3), (0.5, 0.75), (0.75, 1), (0.93, 0.72), (1, 0.3)),
    "candy": ((0, 0.2), (0.1, 0.45), (0.6, 0.92), (0.9, 1), (1, 0.8)),
    "egg": ((0, 0.2), (0.1, 0.55), (0.35, 0.88), (0.6, 1), (0.88, 0.75), (1, 0.25)),
    "mushroom": ((0, 0.2), (0.12, 0.75), (0.35, 1), (0.48, 0.95), (0.52, 0.45), (0.95, 0.5), (1, 0.42)),
    "heart": ((0, 0.5), (0.08, 0.85), (0.3, 1), (0.6, 0.68), (1, 0.06)),
    "strawberry": ((0, 0.5), (0.1, 0.9), (0.3, 1), (0.7, 0.65), (0.95, 0.2), (1, 0.08)),
    "ghost": ((0, 0.3), (0.1, 0.7), (0.3, 0.95), (1, 1)),
}


@dataclass(frozen=True)
class BodyPlan:
    """Sizes are shares of the nominal height 1; widths of torso and limbs are half widths.

    torso : a profile's name, or "line", "ellipse", "squircle", "none". face : "head" or "body".
    attach : where arms meet the torso, from its top (0) to its bottom (1).
    to_the_floor : whether the dress hides the legs, and at most feet show below its hem.
    hip_spread : distance of the legs' roots from the axis, share of the torso's half width.
    """

    family: str
    head_rx: float
    head_ry: float
    head_shape: str
    neck: float
    neck_width: float
    torso: str
    torso_h: float
    torso_w: float
    attach: float
    hip_spread: float
    arm: float
    leg: float
    arm_style: str
    leg_style: str
    arm_w: float
    leg_w: float
    hands: str
    feet: str
    face: str = "head"
    view: str = "front"
    waistline: bool = False
    skirt: float = 0.0
    to_the_floor: bool = False

    def half_width(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half width of the torso at heights t, from its top (0) to its bottom (1)."""
        if self.torso in ("line", "none"):
            return np.zeros_like(t)
        if self.torso == "ellipse":
            return self.torso_w * np.sqrt(np.clip(1.0 - (2.0 * t - 1.0) ** 2, 0.0, None))
        if self.torso == "squircle":
            return self.torso_w * np.clip(1.0 - np.abs(2.0 * t - 1.0) ** 4, 0.0, None) ** 0.25
        profile = np.array(TORSO_PROFILES.get(self.torso) or ROUND_PROFILES[self.torso])
        return self.torso_w * np.interp(t, profile[:, 0], profile[:, 1])

    @property
    def rounded(self) -> bool:
        """Whether the torso's outline is smooth."""
        return self.torso in ROUND_PROFILES or self.torso in ("ellipse", "squircle")
