"""Heads: outline and face."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch


def head_outline(rng: np.random.Generator, shape: str, centre: Points, rx: float, ry: float) -> Points:
    """Closed outline of a head."""
    if shape == "polygon":
        count = int(rng.integers(5, 9))
        angle = (
            np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 6) + rng.normal(0, 0.15, count)
        )
        radius = 1.0 + rng.normal(0, 0.12, count)
        corners = np.stack(
            (centre[0] + rx * radius * np.cos(angle), centre[1] + ry * radius * np.sin(angle)), axis=1
        )
        return curves.resample(curves.close(corners), 40)[:-1]
    if shape == "square":
        skew = rng.normal(0, 0.12, (4, 2))
        corners = centre + (np.array([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]) + skew) * (rx, ry)
        outline = curves.resample(curves.close(corners), 40)[:-1]
        return curves.smooth(outline[::3], 2, closed=True) if rng.random() < 0.4 else outline
    if shape == "egg":
        angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        narrow = 1.0 - 0.22 * np.sin(angle)
        return np.stack((centre[0] + rx * np.cos(angle) * narrow, centre[1] + ry * np.sin(angle)), axis=1)
    if shape == "heart":
        u = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        x = np.sin(u) ** 3
        y = -(13 * np.cos(u) - 5 * np.cos(2 * u) - 2 * np.cos(3 * u)) / 16
        return np.stack((centre[0] + rx * x, centre[1] + ry * y), axis=1)
    wide = {"wide": 1.2, "oval": 0.85}.get(shape, 1.0)
    return curves.blob(rng, centre, rx * wide, ry, 0.16 if shape == "blob" else 0.04)


def draw_head(
    sketch: Sketch,
    shape: str,
    centre: Points,
    rx: float,
    ry: float,
    *,
    fill: Colour | None,
    hide: bool,
    profile: float = 0.0,
) -> None:
    """Draw a head's outline; a searching pen goes round it several times.

    profile : -1 or 1 for a nose that sticks out at that side, 0 for none.
    """
    rng = sketch.rng
    sketch.shape(head_outline(rng, shape, centre, rx, ry), fill=fill, hide=hide)
    if profile and rng.random() < 0.5:
        base = centre + np.array([profile * rx * 0.93, 0.0])
        tip = base + np.array([profile * rx * rng.uniform(0.15, 0.4), ry * rng.uniform(0.0, 0.2)])
        sketch.shape(
            curves.polyline(base - curves.vector(0.0, 0.15 * ry), tip, base + curves.vector(0.0, 0.2 * ry)),
            fill=fill,
        )
    if sketch.medium.name in ("pen", "pencil") and rng.random() < 0.08:
        for _ in range(int(rng.integers(1, 4))):
            k = rng.uniform(0.9, 1.08, 2)
            at = centre + rng.normal(0, 0.05, 2) * (rx, ry)
            sketch.shape(curves.arc(at, rx * k[0], ry * k[1], tilt=float(rng.normal(0, 0.3))))


def draw_face(
    sketch: Sketch, centre: Points, rx: float, ry: float, facing: float, *, empty_chance: float
) -> None:
    """Eyes, mouth, nose and more, about `centre`."""
    rng = sketch.rng
    if rng.random() < empty_chance:
        return
    centre = centre + np.array([facing * rx * rng.uniform(0.1, 0.45), 0.0])
    gap, up = rx * rng.uniform(0.22, 0.5), ry * rng.uniform(0.05, 0.35)
    _eyes(sketch, centre, gap, up, min(rx, ry))
    if rng.random() < 0.9:
        _mouth(sketch, centre + np.array([0.0, ry * rng.uniform(0.3, 0.5)]), rx * rng.uniform(0.15, 0.5), ry)
    style = rng.random()
    if style < 0.15:
        sketch.dot(centre + np.array([0.0, ry * 0.1]), min(rx, ry) * rng.uniform(0.05, 0.12))
    elif style < 0.4:
        side = rng.choice([-1.0, 1.0]) * rx * 0.12
        sketch.line(
            curves.polyline(centre, centre + np.array([side, ry * 0.18]), centre + np.array([0.0, ry * 0.2]))
        )
    if rng.random() < 0.08:
        for sign in (-1.0, 1.0):
            r = min(rx, ry) * 0.15
            sketch.shape(
                curves.arc(centre + np.array([sign * rx * 0.55, ry * 0.25]), r, r, count=12),
                fill=(240, 150, 150),
            )


def _eyes(sketch: Sketch, centre: Points, gap: float, up: float, size: float) -> None:
    rng = sketch.rng
    style = rng.choice(
        ["dot", "ring", "pupil", "line", "big", "cross", "one"], p=[0.4, 0.15, 0.16, 0.1, 0.1, 0.05, 0.04]
    )
    places = (
        [np.array([0.0, -up])]
        if style == "one"
        else [np.array([gap, -up]), np.array([-gap, -up * rng.uniform(0.85, 1.15)])]
    )
    r = size * rng.uniform(0.06, 0.2)
    for place in places:
        at = centre + place
        if style == "dot":
            sketch.dot(at, max(r * 0.6, 0.5 * sketch.medium.width))
        elif style == "line":
            sketch.line(
                curves.polyline(
                    at - curves.vector(r, 0.0), at - curves.vector(0.0, r * 0.5), at + curves.vector(r, 0.0)
                )
            )
        elif style == "cross":
            sketch.line(curves.polyline(at - r, at + r))
            sketch.line(curves.polyline(at + curves.vector(-r, r), at + curves.vector(r, -r)))
        else:
            big = r * (1.7 if style in ("big", "one") else 1.1)
            sketch.shape(curves.arc(at, big, big * rng.uniform(0.9, 1.3), count=16))
            if style != "ring":
                sketch.dot(at + rng.normal(0, 0.2, 2) * big, big * rng.uniform(0.3, 0.6))
    if rng.random() < 0.15:
        for place in places:
            brow = centre + place - curves.vector(0.0, 2.2 * r)
            sketch.line(
                curves.polyline(brow - curves.vector(r, 0.0), brow + curves.vector(r, rng.normal(0, 0.4) * r))
            )


def _mouth(sketch: Sketch, at: Points, half: float, ry: float) -> None:
    rng = sketch.rng
    style = rng.choice(["smile", "flat", "frown", "open", "teeth"], p=[0.58, 0.16, 0.06, 0.14, 0.06])
    depth = ry * rng.uniform(0.05, 0.3)
    if style in ("smile", "frown"):
        d = depth if style == "smile" else -depth * 0.6
        sketch.line(
            curves.bow(
                at - curves.vector(half, d * 0.5),
                at + curves.vector(0.0, d * 0.5),
                at + curves.vector(half, -d * 0.5),
            )
        )
    elif style == "flat":
        sketch.line(curves.polyline(at - curves.vector(half, 0.0), at + curves.vector(half, 0.0)))
    else:
        colour: Colour | None = (
            (200, 40, 50) if sketch.medium.fill_chance > 0 and rng.random() < 0.5 else None
        )
        sketch.shape(curves.arc(at, half, max(depth * 0.6, 0.2 * half), count=18), fill=colour)
        if style == "teeth":
            sketch.line(curves.polyline(at - curves.vector(half, 0.0), at + curves.vector(half, 0.0)))
