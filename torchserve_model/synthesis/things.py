"""Things that are no figures: suns, houses, plants, clouds, writing, frames, scribbles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch


def _fill(sketch: Sketch) -> Colour | None:
    return sketch.medium.palette(sketch.rng) if sketch.wants_fill() else None


def sun(sketch: Sketch, at: Points, size: float) -> None:
    """A disc with rays, now and then with a face."""
    rng = sketch.rng
    r = size * 0.3
    sketch.shape(curves.arc(at, r, r, count=26), fill=_fill(sketch))
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(6, 14)), endpoint=False):
        d = np.array([np.cos(angle), np.sin(angle)])
        sketch.line(curves.polyline(at + d * r * 1.15, at + d * r * rng.uniform(1.4, 1.8)))
    if rng.random() < 0.3:
        for x in (-0.4, 0.4):
            sketch.dot(at + r * np.array([x, -0.2]), r * 0.1)
        sketch.line(
            curves.bow(
                at + r * np.array([-0.4, 0.3]), at + r * np.array([0.0, 0.5]), at + r * np.array([0.4, 0.3])
            )
        )


def cloud(sketch: Sketch, at: Points, size: float) -> None:
    """A puffy outline."""
    angle = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    puff = 1.0 + 0.16 * np.abs(np.sin(angle * sketch.rng.integers(2, 5)))
    outline = at + size * np.stack((0.45 * puff * np.cos(angle), 0.25 * puff * np.sin(angle)), axis=1)
    sketch.shape(outline, fill=_fill(sketch))


def house(sketch: Sketch, at: Points, size: float) -> None:
    """A box with a roof, a door and windows."""
    rng, s = sketch.rng, size * 0.4

    def box(x: float, y: float, w: float, h: float) -> None:
        corners = at + s * np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        sketch.shape(curves.resample(curves.close(corners), 30)[:-1], fill=_fill(sketch))

    box(-0.8, -0.2, 1.6, 1.2)
    roof = at + s * np.array([(-1.0, -0.2), (rng.normal(0, 0.1), -1.1), (1.0, -0.2)])
    sketch.shape(curves.resample(curves.close(roof), 30)[:-1], fill=_fill(sketch))
    box(-0.2, 0.3, 0.4, 0.7)
    for x in (-0.65, 0.3):
        if rng.random() < 0.7:
            box(x, 0.0, 0.35, 0.35)


def tree(sketch: Sketch, at: Points, size: float) -> None:
    """A trunk and a crown."""
    rng, s = sketch.rng, size * 0.45
    w = s * rng.uniform(0.08, 0.2)
    for x in (-w, w):
        sketch.line(curves.polyline(at + curves.vector(x, -0.1 * s), at + curves.vector(x * 1.2, s)))
    if rng.random() < 0.7:
        sketch.shape(
            curves.blob(rng, at - curves.vector(0.0, 0.45 * s), 0.5 * s, 0.55 * s, 0.2),
            fill=_fill(sketch),
            hide=True,
        )
    else:
        sketch.shape(at + s * np.array([(-0.5, 0.1), (0.0, -1.0), (0.5, 0.1)]), fill=_fill(sketch))


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
    fill = _fill(sketch)
    for angle in np.linspace(0, 2 * np.pi, petals, endpoint=False):
        d = np.array([np.cos(angle), np.sin(angle)])
        sketch.shape(curves.arc(at + d * s * 0.28, s * 0.2, s * 0.13, tilt=float(angle), count=14), fill=fill)
    sketch.shape(curves.arc(at, s * 0.12, s * 0.12, count=12))


def heart(sketch: Sketch, at: Points, size: float) -> None:
    """A heart."""
    u = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    y = -(13 * np.cos(u) - 5 * np.cos(2 * u) - 2 * np.cos(3 * u)) / 16
    sketch.shape(at + size * 0.3 * np.stack((np.sin(u) ** 3, y), axis=1), fill=_fill(sketch))


def star(sketch: Sketch, at: Points, size: float) -> None:
    """A five-pointed star, as an outline or in one stroke."""
    angle = -np.pi / 2 + np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2 == 0, 0.4, 0.17) * size
    sketch.shape(
        curves.resample(
            curves.close(at + np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=1)), 50
        )[:-1],
        fill=_fill(sketch),
        steady=0.5,
    )


def ball(sketch: Sketch, at: Points, size: float) -> None:
    """A circle, perhaps with bands."""
    r = size * sketch.rng.uniform(0.15, 0.35)
    sketch.shape(curves.arc(at, r, r, count=26), fill=_fill(sketch))
    if sketch.rng.random() < 0.5:
        sketch.line(
            curves.bow(
                at - curves.vector(r, 0.0), at + curves.vector(0.0, r * 0.4), at + curves.vector(r, 0.0)
            )
        )


def car(sketch: Sketch, at: Points, size: float) -> None:
    """A body on wheels."""
    s = size * 0.45
    sketch.shape(
        at
        + s
        * np.array(
            [(-1, 0.2), (-0.6, 0.15), (-0.4, -0.3), (0.4, -0.3), (0.6, 0.1), (1, 0.2), (1, 0.5), (-1, 0.5)]
        ),
        fill=_fill(sketch),
    )
    for x in (-0.5, 0.5):
        sketch.shape(curves.arc(at + s * np.array([x, 0.5]), s * 0.2, s * 0.2, count=18), hide=True)


def scribble(sketch: Sketch, at: Points, size: float) -> None:
    """A meaningless tangle."""
    rng = sketch.rng
    points = at + np.cumsum(rng.normal(0, size * 0.18, (int(rng.integers(4, 14)), 2)), axis=0)
    sketch.line(curves.smooth(points, 2), colour=_fill(sketch))


def strokes(sketch: Sketch, at: Points, size: float) -> None:
    """A few loose lines, as from trying a pen."""
    rng = sketch.rng
    for _ in range(int(rng.integers(1, 5))):
        a, b = at + rng.uniform(-0.4, 0.4, (2, 2)) * size
        sketch.line(curves.bow(a, (a + b) / 2 + rng.normal(0, 0.05, 2) * size, b))


def writing(sketch: Sketch, at: Points, size: float) -> None:
    """A line of letters that nobody can read."""
    rng = sketch.rng
    height = size * rng.uniform(0.08, 0.2)
    x = at[0] - size * 0.5
    for _ in range(int(rng.integers(3, 13))):
        width = height * rng.uniform(0.3, 0.9)
        if rng.random() > 0.15:
            count = int(rng.integers(3, 6))
            letter = rng.uniform(0, 1, (count, 2)) * (width, height * (1.0 if rng.random() < 0.4 else 0.65))
            letter[:, 1] = -letter[:, 1]
            points = letter + curves.vector(x, at[1])
            sketch.line(curves.smooth(points, 1) if rng.random() < 0.6 else points, steady=0.3, width=0.8)
        x += width + height * 0.2


def plant_pot(sketch: Sketch, at: Points, size: float) -> None:
    """A pot with stalks."""
    s = size * 0.35
    sketch.shape(at + s * np.array([(-0.5, 0), (0.5, 0), (0.35, 0.8), (-0.35, 0.8)]), fill=_fill(sketch))
    for lean in sketch.rng.normal(0, 0.5, int(sketch.rng.integers(2, 5))):
        sketch.line(curves.bow(at, at + s * np.array([lean * 0.3, -0.5]), at + s * np.array([lean, -1.0])))


def speech(sketch: Sketch, at: Points, size: float) -> None:
    """A bubble with words."""
    s = size * 0.45
    sketch.shape(curves.arc(at, s, s * 0.5, count=30), hide=True)
    sketch.line(
        curves.polyline(
            at + s * np.array([-0.3, 0.47]), at + s * np.array([-0.5, 0.9]), at + s * np.array([0.0, 0.5])
        )
    )
    writing(sketch, at + s * np.array([0.1, 0.1]), size * 0.5)


THINGS: tuple[Callable[[Sketch, Points, float], None], ...] = (
    sun, cloud, house, tree, flower, heart, star, ball, car, scribble, strokes, writing, writing,
    plant_pot, speech,
)  # fmt: skip
