"""What heads wear and grow: hair, hats, ears and horns."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch


def draw_hair(sketch: Sketch, centre: Points, rx: float, ry: float) -> None:
    """Hair of some kind, on the head or beside it."""
    rng, m = sketch.rng, sketch.medium
    colour = m.palette(rng) if m.line_colours or (m.fill_chance > 0.3 and rng.random() < 0.5) else m.ink
    style = rng.choice(
        ["spikes", "strands", "curls", "scribble", "pigtails", "long", "cap", "tuft"],
        p=[0.16, 0.17, 0.12, 0.15, 0.1, 0.14, 0.1, 0.06],
    )
    if style == "spikes":
        count = int(rng.integers(3, 9))
        angle = np.linspace(-np.pi + 0.5, -0.5, 2 * count + 1)
        reach = np.where(np.arange(2 * count + 1) % 2 == 1, rng.uniform(1.2, 1.6), 0.95)
        zigzag = centre + np.stack((rx * reach * np.cos(angle), ry * reach * np.sin(angle)), axis=1)
        sketch.cover(zigzag)
        sketch.line(curves.resample(zigzag, 6 * count), colour=colour)
    elif style == "strands":
        _strands(sketch, centre, rx, ry, colour, np.pi * rng.uniform(0.5, 1.15), int(rng.integers(3, 22)))
    elif style == "curls":
        for angle in np.linspace(-np.pi - 0.2, 0.2, int(rng.integers(5, 11))):
            at = centre + np.array([rx * np.cos(angle), ry * np.sin(angle)]) * rng.uniform(0.95, 1.1)
            r = min(rx, ry) * rng.uniform(0.18, 0.32)
            sketch.shape(
                curves.arc(at, r, r, count=14), line=colour, fill=colour if sketch.wants_fill() else None
            )
    elif style == "scribble":
        crown = curves.arc(centre, rx * 1.12, ry * 1.12, start=-np.pi - 0.2, sweep=np.pi + 0.4, count=20)
        inner = curves.arc(centre, rx, ry * rng.uniform(0.4, 0.9), start=0.2, sweep=-np.pi - 0.4, count=20)
        patch = np.concatenate((crown, inner))
        sketch.cover(patch)
        zigzag = curves.scanline_zigzag(rng, patch, rng.uniform(1.1, 2.0), max(m.width * 1.6, 0.012), 0.012)
        sketch.line(zigzag, colour=colour)
    elif style in ("pigtails", "long"):
        _side_hair(sketch, centre, rx, ry, colour, loose=style == "long")
    elif style == "cap":
        cap = curves.arc(centre, rx * 1.08, ry * 1.08, start=-np.pi, sweep=np.pi, count=22)
        fringe = curves.bow(cap[-1], centre - curves.vector(0.0, ry * rng.uniform(0.2, 0.7)), cap[0])
        sketch.shape(
            np.concatenate((cap, fringe[1:-1])), line=colour, fill=colour if sketch.wants_fill() else None
        )
    else:
        _strands(sketch, centre, rx, ry, colour, 0.7, int(rng.integers(2, 6)))


def _strands(
    sketch: Sketch, centre: Points, rx: float, ry: float, colour: Colour, spread: float, count: int
) -> None:
    rng = sketch.rng
    reach, droop = rng.uniform(1.15, 1.7), rng.normal(0, 0.3)
    for angle in -np.pi / 2 + np.linspace(-spread, spread, count) + rng.normal(0, 0.06, count):
        root = centre + np.array([rx * np.cos(angle), ry * np.sin(angle)]) * 0.98
        tip = centre + np.array(
            [rx * np.cos(angle + droop), ry * np.sin(angle + droop)]
        ) * reach * rng.uniform(0.85, 1.15)
        sketch.line(
            curves.polyline(root, (root + tip) / 2 + rng.normal(0, 0.004, 2), tip), colour=colour, width=0.9
        )


def _side_hair(sketch: Sketch, centre: Points, rx: float, ry: float, colour: Colour, *, loose: bool) -> None:
    rng = sketch.rng
    drop = ry * rng.uniform(0.8, 2.4)
    fill = colour if sketch.wants_fill() else None
    for sign in (1.0, -1.0):
        root = centre + np.array([sign * rx * 0.92, -ry * rng.uniform(0.1, 0.5)])
        if loose and rng.random() < 0.5:
            for f in np.linspace(0.0, 0.4, int(rng.integers(2, 6))):
                a = root + curves.vector(-sign * rx * f * 0.2, -ry * f)
                sketch.line(
                    curves.bow(
                        a,
                        a + curves.vector(sign * rx * (0.25 + f), drop * 0.5),
                        a + curves.vector(sign * rx * (0.1 + f), drop),
                    ),
                    colour=colour,
                )
            continue
        out = rx * rng.uniform(0.25, 1.0) * (0.4 if loose else 1.0)
        tip = root + np.array([sign * out, drop * (1.0 if loose else rng.uniform(0.1, 1.0))])
        path = curves.bow(root, (root + tip) / 2 + np.array([sign * rx * 0.2, -ry * 0.1]), tip)
        width = rx * rng.uniform(0.12, 0.35)
        sketch.shape(
            curves.ribbon(path, width * np.sin(np.linspace(0.25, np.pi - 0.05, len(path)))),
            line=colour,
            fill=fill,
        )
    if loose:
        sketch.line(
            curves.arc(centre, rx * 1.03, ry * 1.06, start=-np.pi + 0.2, sweep=np.pi - 0.4, count=18),
            colour=colour,
        )


def draw_hat(sketch: Sketch, centre: Points, rx: float, ry: float) -> None:
    """A hat, a crown or a bow on top of the head."""
    rng = sketch.rng
    fill = sketch.medium.palette(rng) if sketch.wants_fill() else None
    top = centre[1] - ry * rng.uniform(0.6, 0.95)
    w, h = rx * rng.uniform(0.6, 1.1), ry * rng.uniform(0.5, 1.6)
    x = centre[0] + rng.normal(0, 0.06) * rx
    style = rng.choice(["cone", "crown", "top", "cap", "bow", "halo"], p=[0.32, 0.25, 0.18, 0.12, 0.08, 0.05])
    if style == "cone":
        tip = (x + rng.normal(0, 0.35) * w, top - h)
        sketch.shape(
            curves.resample(curves.close(curves.polyline((x - w, top), tip, (x + w, top))), 34)[:-1],
            fill=fill,
            hide=True,
        )
    elif style == "crown":
        count = int(rng.integers(3, 6))
        xs = np.linspace(-w, w, 2 * count + 1)
        ys = np.where(np.arange(2 * count + 1) % 2 == 0, -0.75 * h, -0.4 * h)
        outline = np.concatenate(
            (np.stack((x + xs, top + ys), axis=1), curves.polyline((x + w, top), (x - w, top)))
        )
        sketch.shape(curves.resample(curves.close(outline), 50)[:-1], fill=fill, hide=True, steady=0.6)
    elif style == "top":
        sketch.shape(
            curves.polyline(
                (x - 0.7 * w, top - h), (x + 0.7 * w, top - h), (x + 0.7 * w, top), (x - 0.7 * w, top)
            ),
            fill=fill,
            hide=True,
        )
        sketch.shape(curves.arc(np.array([x, top]), w * 1.3, h * 0.1 + 0.006, count=20), fill=fill, hide=True)
    elif style == "cap":
        sketch.shape(
            curves.arc(np.array([x, top]), w, h * 0.6, start=-np.pi, sweep=np.pi, count=18),
            fill=fill,
            hide=True,
        )
        side = float(rng.choice([-1.0, 1.0]))
        sketch.line(curves.polyline((x + side * w, top), (x + side * w * 1.8, top + 0.02)), width=1.3)
    elif style == "bow":
        for sign in (-1.0, 1.0):
            sketch.shape(
                curves.arc(np.array([x + sign * w * 0.4, top]), w * 0.4, w * 0.25, tilt=sign * 0.3, count=16),
                fill=fill,
            )
    else:
        sketch.shape(curves.arc(np.array([x, top - ry * 0.4]), w, w * 0.22, count=20))


def draw_ears(sketch: Sketch, centre: Points, rx: float, ry: float, kind: str, fill: Colour | None) -> None:
    """Ears or horns: `human`, `cat`, `bear`, `rabbit` or `horns`."""
    rng = sketch.rng
    size = min(rx, ry) * rng.uniform(0.25, 0.5)
    for sign in (1.0, -1.0):
        angle = {"human": 0.0, "cat": -0.95, "bear": -0.85, "rabbit": -1.25, "horns": -1.0}[kind]
        at = centre + np.array([sign * rx * np.cos(angle), ry * np.sin(angle)])
        if kind in ("human", "bear"):
            r = size * (0.6 if kind == "human" else 0.9)
            sketch.shape(curves.arc(at + curves.vector(sign * r * 0.5, 0.0), r * 0.8, r, count=16), fill=fill)
        elif kind == "rabbit":
            tall = ry * rng.uniform(0.7, 1.5)
            sketch.shape(
                curves.arc(
                    at - curves.vector(0.0, tall * 0.8),
                    size * 0.5,
                    tall,
                    tilt=sign * rng.uniform(0, 0.3),
                    count=22,
                ),
                fill=fill,
            )
        else:
            tip = at + np.array([sign * size * rng.uniform(0.1, 0.8), -size * rng.uniform(1.2, 2.4)])
            base = size * (0.7 if kind == "cat" else 0.35)
            sketch.shape(
                curves.resample(
                    curves.polyline(
                        at + curves.vector(-base, 0.1 * size),
                        tip,
                        at + curves.vector(base, 0.2 * size),
                        at + curves.vector(-base, 0.1 * size),
                    ),
                    20,
                )[:-1],
                fill=fill,
            )
