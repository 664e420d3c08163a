"""Plants, some of which look much like a figure with a head, a body and arms."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.sketch import Sketch


def tree(sketch: Sketch, at: Points, size: float) -> None:
    """A trunk and a crown."""
    rng, s = sketch.rng, size * 0.45
    w = s * rng.uniform(0.08, 0.2)
    for x in (-w, w):
        sketch.line(curves.polyline(at + curves.vector(x, -0.1 * s), at + curves.vector(x * 1.2, s)))
    if rng.random() < 0.7:
        sketch.shape(
            curves.blob(rng, at - curves.vector(0.0, 0.45 * s), 0.5 * s, 0.55 * s, 0.2),
            fill=sketch.some_fill(),
            hide=True,
        )
    else:
        sketch.shape(at + s * np.array([(-0.5, 0.1), (0.0, -1.0), (0.5, 0.1)]), fill=sketch.some_fill())


def flower(sketch: Sketch, at: Points, size: float) -> None:
    """A stem, leaves and petals."""
    rng, s = sketch.rng, size * 0.4
    sketch.line(
        curves.bow(at, at + curves.vector(rng.normal(0, 0.05) * s, 0.5 * s), at + curves.vector(0.0, s))
    )
    sketch.line(
        curves.bow(
            at + curves.vector(0.0, 0.7 * s),
            at + curves.vector(0.25 * s, 0.4 * s),
            at + curves.vector(0.35 * s, 0.3 * s),
        )
    )
    petals = int(rng.integers(4, 8))
    fill = sketch.some_fill()
    for angle in np.linspace(0, 2 * np.pi, petals, endpoint=False):
        d = np.array([np.cos(angle), np.sin(angle)])
        sketch.shape(curves.arc(at + d * s * 0.28, s * 0.2, s * 0.13, tilt=float(angle), count=14), fill=fill)
    sketch.shape(curves.arc(at, s * 0.12, s * 0.12, count=12))


def tall_flower(sketch: Sketch, at: Points, size: float) -> None:
    """A round bloom on a long stem with a leaf on either side, which could be head, body and arms."""
    rng, s = sketch.rng, size * 0.5
    foot = at + curves.vector(rng.normal(0, 0.06) * s, 0.95 * s)
    bloom = at - curves.vector(0.0, 0.5 * s)
    fill = sketch.some_fill()
    sketch.line(curves.bow(bloom, (bloom + foot) / 2 + curves.vector(rng.normal(0, 0.08) * s, 0.0), foot))
    for side in (-1.0, 1.0):
        if rng.random() < 0.8:
            root = bloom + (foot - bloom) * rng.uniform(0.4, 0.8)
            tilt = float(-np.pi / 2 + side * rng.uniform(0.5, 1.2))
            d = np.array([np.cos(tilt), np.sin(tilt)])
            sketch.shape(curves.arc(root + d * 0.24 * s, 0.24 * s, 0.08 * s, tilt=tilt, count=16), fill=fill)
    petals = int(rng.integers(0, 9))
    r = s * rng.uniform(0.12, 0.28)
    for angle in np.linspace(0, 2 * np.pi, petals, endpoint=False):
        d = np.array([np.cos(angle), np.sin(angle)])
        sketch.shape(
            curves.arc(bloom + d * r * 1.3, r * 0.7, r * 0.45, tilt=float(angle), count=14), fill=fill
        )
    sketch.shape(curves.arc(bloom, r, r, count=18), fill=sketch.some_fill(), hide=True)


def bare_tree(sketch: Sketch, at: Points, size: float) -> None:
    """A trunk that forks into branches, as a stick figure's limbs do."""
    rng = sketch.rng

    def branch(root: Points, angle: float, length: float, depth: int) -> None:
        end = root + length * np.array([np.cos(angle), np.sin(angle)])
        sketch.line(curves.bow(root, (root + end) / 2 + rng.normal(0, 0.05, 2) * length, end))
        if depth:
            for turn in rng.uniform(-1.0, 1.0, int(rng.integers(2, 4))):
                branch(end, angle + float(turn), length * rng.uniform(0.5, 0.8), depth - 1)

    branch(
        at + curves.vector(0.0, 0.45 * size),
        -np.pi / 2 + rng.normal(0, 0.1),
        0.35 * size,
        int(rng.integers(1, 4)),
    )


def plant_pot(sketch: Sketch, at: Points, size: float) -> None:
    """A pot with stalks."""
    s = size * 0.35
    sketch.shape(at + s * np.array([(-0.5, 0), (0.5, 0), (0.35, 0.8), (-0.35, 0.8)]), fill=sketch.some_fill())
    for lean in sketch.rng.normal(0, 0.5, int(sketch.rng.integers(2, 5))):
        sketch.line(curves.bow(at, at + s * np.array([lean * 0.3, -0.5]), at + s * np.array([lean, -1.0])))
