"""What the parts of one figure share: labels as the drawing settles them, and decisions on its looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour, Medium
from torchserve_model.synthesis.pose import Pose


@dataclass
class Labels:
    """Joints as the drawing settles them; pairs are left, right."""

    nose: Points
    shoulders: Points
    elbows: Points
    hands: Points
    hips: Points
    knees: Points
    feet: Points

    @classmethod
    def of(cls, pose: Pose) -> Labels:
        """Joints as the pose has them; the nose is placed with the head."""
        return cls(
            np.zeros(2), pose.shoulders.copy(), pose.elbows.copy(), pose.hands.copy(), pose.hips.copy(),
            pose.knees.copy(), pose.feet.copy(),
        )  # fmt: skip

    def stacked(self) -> NDArray[np.float64]:
        """(13, 2) float64 in the order of the keypoints."""
        pairs = (self.shoulders, self.elbows, self.hands, self.hips, self.knees, self.feet)
        return np.concatenate((self.nose[None], *pairs))


@dataclass(frozen=True)
class Look:
    """Decisions that hold for the whole figure."""

    hide: bool
    arms_in_front: bool
    skin: Colour | None
    shirt: Colour | None
    trousers: Colour | None
    shoes: Colour | None
    sleeves: Colour | None
    sleeve: float
    trouser: float


def sample_look(rng: np.random.Generator, medium: Medium) -> Look:
    """Colours and habits of one figure."""

    def part(chance: float = 1.0) -> Colour | None:
        return medium.palette(rng) if rng.random() < medium.fill_chance * chance else None

    if medium.name != "pen" and rng.random() < 0.025:
        return _silhouette(rng, medium)
    skin = medium.skin(rng) if rng.random() < medium.fill_chance * 0.6 else None
    shirt = part()
    sleeves = shirt if rng.random() < 0.6 else skin
    trousers = part()
    sleeve = rng.uniform(0.25, 0.6) if rng.random() < 0.14 else 0.0
    trouser = rng.uniform(0.3, 0.95) if rng.random() < 0.12 else 0.0
    return Look(
        hide=bool(rng.random() < 0.7),
        arms_in_front=bool(rng.random() < 0.5),
        skin=skin,
        shirt=shirt,
        trousers=trousers,
        shoes=part(0.8),
        sleeves=sleeves,
        sleeve=sleeve,
        trouser=trouser,
    )


def _silhouette(rng: np.random.Generator, medium: Medium) -> Look:
    """Everything in the colour of the line."""
    ink = medium.ink
    return Look(
        hide=False,
        arms_in_front=bool(rng.random() < 0.5),
        skin=ink if rng.random() < 0.7 else None,
        shirt=ink,
        trousers=ink,
        shoes=ink,
        sleeves=ink,
        sleeve=0.0,
        trouser=0.0,
    )
