"""Things that are no figures: suns, houses, plants, clouds, writing, frames, scribbles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.plants import bare_tree, flower, plant_pot, tall_flower, tree
from torchserve_model.synthesis.sketch import Sketch


def sun(sketch: Sketch, at: Points, size: float) -> None:
    """A disc with rays, now and then with a face."""
    rng = sketch.rng
    r = size * 0.3
    sketch.shape(curves.arc(at, r, r, count=26), fill=sketch.some_fill())
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
    sketch.shape(outline, fill=sketch.some_fill())


def house(sketch: Sketch, at: Points, size: float) -> None:
    """A box with a roof, a door and windows."""
    rng, s = sketch.rng, size * 0.4

    def box(x: float, y: float, w: float, h: float) -> None:
        corners = at + s * np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
        sketch.shape(curves.resample(curves.close(corners), 30)[:-1], fill=sketch.some_fill())

    box(-0.8, -0.2, 1.6, 1.2)
    roof = at + s * np.array([(-1.0, -0.2), (rng.normal(0, 0.1), -1.1), (1.0, -0.2)])
    sketch.shape(curves.resample(curves.close(roof), 30)[:-1], fill=sketch.some_fill())
    box(-0.2, 0.3, 0.4, 0.7)
    windows = rng.uniform(0.2, 0.4)
    for x in (-0.65, 0.3):
        if rng.random() < 0.75:
            box(x, rng.uniform(-0.1, 0.1), windows, windows)
            if rng.random() < 0.5:
                middle = at + s * np.array([x + windows / 2, windows / 2])
                half = curves.vector(0.0, s * windows / 2)
                sketch.line(curves.polyline(middle - half, middle + half))
    if rng.random() < 0.4:
        box(0.35, -0.95, 0.2, 0.4)


def fish(sketch: Sketch, at: Points, size: float) -> None:
    """A body with a tail and an eye."""
    rng, s = sketch.rng, size * 0.4
    facing = float(rng.choice([-1.0, 1.0]))
    sketch.shape(curves.arc(at, s * 0.8, s * rng.uniform(0.3, 0.55), count=26), fill=sketch.some_fill())
    tail = at + s * np.array([(-0.7 * facing, 0.0), (-1.2 * facing, -0.4), (-1.2 * facing, 0.4)])
    sketch.shape(curves.resample(curves.close(tail), 20)[:-1], fill=sketch.some_fill())
    sketch.dot(at + s * np.array([0.45 * facing, -0.12]), s * 0.06)
    if rng.random() < 0.5:
        sketch.line(
            curves.bow(
                at + s * np.array([0.7 * facing, 0.1]),
                at + s * np.array([0.55 * facing, 0.2]),
                at + s * np.array([0.4 * facing, 0.15]),
            )
        )


def boat(sketch: Sketch, at: Points, size: float) -> None:
    """A hull, a mast and a sail."""
    rng, s = sketch.rng, size * 0.45
    hull = at + s * np.array([(-0.9, 0.4), (0.9, 0.4), (0.6, 0.85), (-0.6, 0.85)])
    sketch.shape(curves.resample(curves.close(hull), 30)[:-1], fill=sketch.some_fill())
    sketch.line(
        curves.polyline(at + s * np.array([0.0, 0.4]), at + s * np.array([rng.normal(0, 0.04), -0.9]))
    )
    sail = at + s * np.array([(0.08, -0.85), (0.75, 0.25), (0.08, 0.25)])
    sketch.shape(curves.resample(curves.close(sail), 24)[:-1], fill=sketch.some_fill())


def table(sketch: Sketch, at: Points, size: float) -> None:
    """A board on legs, now and then with a back: a chair."""
    rng, s = sketch.rng, size * 0.45
    level, spread = rng.uniform(-0.3, 0.2), rng.uniform(0.5, 0.9)
    sketch.line(curves.polyline(at + s * np.array([-spread, level]), at + s * np.array([spread, level])))
    for x in (-0.85, 0.85):
        top = at + s * np.array([x * spread, level])
        sketch.line(curves.polyline(top, at + s * np.array([x * spread * rng.uniform(0.9, 1.1), 0.9])))
    if rng.random() < 0.5:
        sketch.line(curves.polyline(at + s * np.array([-spread, level]), at + s * np.array([-spread, -0.95])))


def crossed_lines(sketch: Sketch, at: Points, size: float) -> None:
    """A cross, an arrow, a kite's frame or a snowflake: lines through one point."""
    rng, s = sketch.rng, size * 0.4
    first, count = rng.uniform(0, np.pi), int(rng.integers(2, 5))
    for angle in first + np.arange(count) * np.pi / count + rng.normal(0, 0.1, count):
        d = s * rng.uniform(0.6, 1.2) * np.array([np.cos(angle), np.sin(angle)])
        sketch.line(curves.polyline(at - d * rng.uniform(0.3, 1.0), at + d))
        if rng.random() < 0.3:
            for turn in (2.5, -2.5):
                barb = 0.25 * s * np.array([np.cos(angle + turn), np.sin(angle + turn)])
                sketch.line(curves.polyline(at + d, at + d + barb))


def heart(sketch: Sketch, at: Points, size: float) -> None:
    """A heart."""
    u = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    y = -(13 * np.cos(u) - 5 * np.cos(2 * u) - 2 * np.cos(3 * u)) / 16
    sketch.shape(at + size * 0.3 * np.stack((np.sin(u) ** 3, y), axis=1), fill=sketch.some_fill())


def star(sketch: Sketch, at: Points, size: float) -> None:
    """A five-pointed star, as an outline or in one stroke."""
    angle = -np.pi / 2 + np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2 == 0, 0.4, 0.17) * size
    sketch.shape(
        curves.resample(
            curves.close(at + np.stack((reach * np.cos(angle), reach * np.sin(angle)), axis=1)), 50
        )[:-1],
        fill=sketch.some_fill(),
        steady=0.5,
    )


def ball(sketch: Sketch, at: Points, size: float) -> None:
    """A circle, perhaps with bands."""
    r = size * sketch.rng.uniform(0.15, 0.35)
    sketch.shape(curves.arc(at, r, r, count=26), fill=sketch.some_fill())
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
        fill=sketch.some_fill(),
    )
    for x in (-0.5, 0.5):
        sketch.shape(curves.arc(at + s * np.array([x, 0.5]), s * 0.2, s * 0.2, count=18), hide=True)


def scribble(sketch: Sketch, at: Points, size: float) -> None:
    """A meaningless tangle."""
    rng = sketch.rng
    points = at + np.cumsum(rng.normal(0, size * 0.18, (int(rng.integers(4, 14)), 2)), axis=0)
    sketch.line(curves.smooth(points, 2), colour=sketch.some_fill())


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


def speech(sketch: Sketch, at: Points, size: float) -> None:
    """A bubble with words, or with nothing yet."""
    rng, s = sketch.rng, size * 0.45
    height, lean = rng.uniform(0.35, 0.75), float(rng.choice([-1.0, 1.0]))
    sketch.shape(curves.arc(at, s, s * height, count=30), hide=True)
    tip = at + s * np.array([-0.5 * lean, height + rng.uniform(0.25, 0.6)])
    sketch.line(
        curves.polyline(
            at + s * np.array([-0.35 * lean, height * 0.93]), tip, at + s * np.array([0.0, height])
        )
    )
    for line in range(int(rng.integers(0, 4))):
        writing(sketch, at + s * np.array([0.1, (line * 0.4 - 0.3) * height]), size * rng.uniform(0.35, 0.6))


THINGS: tuple[Callable[[Sketch, Points, float], None], ...] = (
    sun, cloud, house, house, tree, flower, tall_flower, bare_tree, heart, star, ball, car, fish, boat, table,
    crossed_lines, scribble, strokes, writing, writing, plant_pot, speech,
)  # fmt: skip
