"""Clothes that go over a drawn body: skirts, sleeves and trouser legs."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch


def draw_skirt(sketch: Sketch, plan: BodyPlan, *, hide: bool) -> None:
    """A flared skirt below the torso, with a straight or wavy hem and now and then pleats."""
    rng = sketch.rng
    waist = float(plan.half_width(np.array([1.0]))[0]) * rng.uniform(0.85, 1.05)
    hem = waist * rng.uniform(1.3, 2.6)
    top, bottom = plan.torso_h, plan.torso_h + plan.skirt
    waves = int(rng.integers(3, 6)) if rng.random() < 0.5 else 0
    across = np.linspace(1.0, -1.0, 17)
    edge = np.full(17, bottom)
    if waves:
        edge += 0.06 * plan.skirt * np.cos((across + 1.0) * waves * np.pi)
    outline = np.concatenate((
        curves.polyline((-waist, top), (waist, top)), np.stack((across * hem, edge), axis=1),
    ))  # fmt: skip
    sketch.shape(outline, fill=sketch.medium.palette(rng) if sketch.wants_fill() else None, hide=hide)
    if rng.random() < 0.4:
        for f in np.linspace(-0.75, 0.75, int(rng.integers(2, 6))):
            sketch.line(
                curves.polyline((f * waist, top + 0.1 * plan.skirt), (f * hem, bottom - 0.08 * plan.skirt))
            )


def draw_cover(sketch: Sketch, path: Points, half_width: float, share: float, *, fill: Colour | None) -> None:
    """A sleeve or trouser leg about the first `share` of a limb, wider than the limb itself."""
    rng = sketch.rng
    piece = curves.resample(path[: max(3, round(len(path) * share))], 8)
    flare = rng.uniform(0.9, 1.3)
    widths = half_width * np.linspace(1.0, flare, 8)
    sketch.shape(curves.ribbon(piece, widths), fill=fill, hide=True)
