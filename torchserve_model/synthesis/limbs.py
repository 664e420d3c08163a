"""Arms, legs, hands and feet."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch

LINE_LIKE = ("line",)


def limb_path(root: Points, middle: Points, end: Points, *, bent: bool, count: int = 15) -> Points:
    """The axis of a limb through its three joints: a bow, or two straight pieces."""
    if bent:
        return curves.resample(curves.smooth(curves.polyline(root, middle, end), 1), count)
    return curves.bow(root, middle, end, count)


def limb_outline(path: Points, style: str, half_width: float) -> Points:
    """Closed outline of a limb about its axis."""
    t = np.linspace(0.0, 1.0, len(path))
    if style == "tapered":
        widths = half_width * (1.25 - 0.65 * t)
    elif style == "pointed":
        widths = half_width * np.clip(1.35 * (1.0 - t**1.6), 0.06, None)
    elif style == "sausage":
        widths = half_width * np.sqrt(np.clip(1.0 - ((t - 0.86) / 0.14).clip(0.0) ** 2, 0.0, None))
    elif style == "blob":
        widths = half_width * (0.35 + 1.15 * np.sin(np.pi * (0.12 + 0.78 * t)))
    elif style == "flared":
        widths = half_width * (0.8 + 0.9 * t)
    else:
        widths = np.full(len(path), half_width)
    return curves.ribbon(path, widths)


def draw_limb(
    sketch: Sketch,
    path: Points,
    style: str,
    half_width: float,
    *,
    fill: Colour | None,
    hide: bool,
    line: Colour | None = None,
) -> None:
    """Draw a limb in one of the styles."""
    if style == "line":
        sketch.line(path, colour=line)
        return
    if style == "double":
        outline = limb_outline(path, style, half_width)
        n = len(path)
        if hide or fill is not None:
            sketch.shape(outline, fill=fill, hide=hide, edge=False)
        else:
            sketch.cover(outline)
        sketch.line(outline[:n], colour=line)
        sketch.line(outline[n:], colour=line)
        if sketch.rng.random() < 0.6:
            sketch.line(outline[n - 1 : n + 1], colour=line)
        return
    if style == "balloon":
        half = len(path) // 2
        for piece in (path[: half + 1], path[half:]):
            a, b = piece[0], piece[-1]
            d = b - a
            outline = curves.arc(
                (a + b) / 2,
                float(np.hypot(*d)) * 0.54,
                half_width,
                tilt=float(np.arctan2(d[1], d[0])),
                count=24,
            )
            sketch.shape(outline, fill=fill, hide=hide, line=line)
        return
    sketch.shape(limb_outline(path, style, half_width), fill=fill, hide=hide, line=line)
    if sketch.rng.random() < 0.08:
        _bands(sketch, path, half_width)


def _bands(sketch: Sketch, path: Points, half_width: float) -> None:
    """Stripes, cuffs and joints across a limb."""
    across = curves.normals(path) * half_width
    last = len(path) - 2
    for k in sketch.rng.integers(2, last, int(sketch.rng.integers(1, 5))):
        sketch.line(curves.polyline(path[k] - across[k], path[k] + across[k]))


def draw_hand(
    sketch: Sketch, style: str, wrist: Points, along: Points, size: float, *, fill: Colour | None, hide: bool
) -> Points:
    """Draw a hand beyond the wrist; returns where it is labelled. `along` is the forearm's unit direction."""
    rng = sketch.rng
    centre = wrist + along * size * 0.8
    heading = float(np.arctan2(along[1], along[0]))
    if style == "none":
        return wrist
    if style == "circle":
        sketch.shape(curves.arc(centre, size, size * rng.uniform(0.8, 1.1), count=22), fill=fill, hide=hide)
        return wrist + along * size * 0.6
    if style == "loop":
        loop = curves.arc(
            centre, size * 1.3, size * 0.7, tilt=heading, start=np.pi * 0.9, sweep=5.4, count=22
        )
        sketch.cover(loop)
        sketch.line(loop)
        return wrist + along * size * 0.6
    if style == "mitten":
        sketch.shape(curves.arc(centre, size * 1.1, size * 0.8, tilt=heading, count=22), fill=fill, hide=hide)
        side = float(rng.choice([-1.0, 1.0]))
        thumb = heading + side * 1.2
        direction = np.array([np.cos(thumb), np.sin(thumb)])
        sketch.shape(
            curves.arc(centre + direction * size * 0.9, size * 0.5, size * 0.25, tilt=thumb, count=14),
            fill=fill,
            hide=hide,
        )
        return wrist + along * size * 0.7
    if style in ("fingers", "balloons"):
        palm = rng.random() < (0.4 if style == "fingers" else 0.8)
        root = wrist
        if palm:
            sketch.shape(
                curves.arc(centre, size * 0.75, size * 0.7, tilt=heading, count=18), fill=fill, hide=hide
            )
            root = centre + along * size * 0.4
        count = int(rng.integers(3, 6))
        _digits(sketch, root, heading, size, count, rng.uniform(0.8, 2.2), fat=style == "balloons", fill=fill)
        return wrist + along * size * (0.7 if palm else 0.35)
    _digits(sketch, wrist, heading, size * 0.9, 3, rng.uniform(1.0, 1.8), fat=False, fill=None)
    return wrist + along * size * 0.25


def _digits(
    sketch: Sketch,
    root: Points,
    heading: float,
    size: float,
    count: int,
    spread: float,
    *,
    fat: bool,
    fill: Colour | None,
) -> None:
    rng = sketch.rng
    for angle in heading + np.linspace(-spread / 2, spread / 2, count) + rng.normal(0, 0.08, count):
        reach = size * rng.uniform(0.7, 1.3)
        direction = np.array([np.cos(angle), np.sin(angle)])
        if fat:
            sketch.shape(
                curves.arc(
                    root + direction * reach * 0.6, reach * 0.5, size * 0.24, tilt=float(angle), count=14
                ),
                fill=fill,
            )
        else:
            sketch.line(curves.polyline(root, root + direction * reach))


def draw_foot(
    sketch: Sketch,
    style: str,
    ankle: Points,
    along: Points,
    outward: float,
    size: float,
    *,
    fill: Colour | None,
    hide: bool,
) -> Points:
    """Draw a foot at the leg's end; returns where it is labelled. `outward`: sign of x of the toes."""
    rng = sketch.rng
    if style == "none":
        return ankle
    toe = np.array([outward, rng.normal(0, 0.12)])
    if style == "loop":
        heading = float(np.arctan2(toe[1], toe[0]))
        loop = curves.arc(
            ankle + toe * size, size, size * 0.45, tilt=heading, start=np.pi, sweep=5.6, count=22
        )
        sketch.cover(loop)
        sketch.line(loop)
        return ankle + toe * size * 0.3
    if style == "line":
        # quickly drawn feet can be as long as the shin
        length = rng.uniform(0.06, 0.32) if rng.random() < 0.3 else size * rng.uniform(0.8, 2.4)
        sketch.line(curves.polyline(ankle, ankle + toe * length))
        return ankle
    if style == "oval":
        forward = rng.uniform(0.1, 0.8)
        centre = ankle + toe * size * forward + np.array([0.0, size * 0.35])
        tilt = float(rng.normal(0, 0.15))
        sketch.shape(
            curves.arc(
                centre, size * rng.uniform(0.9, 1.3), size * rng.uniform(0.45, 0.75), tilt=tilt, count=22
            ),
            fill=fill,
            hide=hide,
        )
        return ankle + 0.45 * (centre - ankle)
    if style == "boot":
        back, front, sole = -0.55 * outward * size, 1.5 * outward * size, size * rng.uniform(0.6, 0.9)
        outline = ankle + np.array(
            [
                (back, -0.3 * size),
                (back, sole),
                (front, sole),
                (front, 0.45 * sole),
                (0.45 * outward * size, 0.1 * sole),
                (0.45 * outward * size, -0.3 * size),
            ]
        )
        if rng.random() < 0.6:
            outline = curves.smooth(outline, 2, closed=True)
        sketch.shape(outline, fill=fill, hide=hide)
        return ankle + np.array([0.15 * outward * size, 0.25 * sole])
    if style == "triangle":
        outline = ankle + size * np.array([(0.0, -0.2), (1.1 * outward, 0.7), (-0.6 * outward, 0.7)])
        sketch.shape(curves.resample(curves.close(outline), 24), fill=fill, hide=hide)
        return ankle + np.array([0.1 * outward * size, 0.25 * size])
    heading = float(np.arctan2(along[1] + 0.3, along[0] + 0.8 * outward))
    _digits(sketch, ankle, heading, size * 0.9, 3, 1.4, fat=style == "toes" and rng.random() < 0.4, fill=fill)
    return ankle + along * size * 0.1
