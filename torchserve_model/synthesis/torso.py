"""Torsos and what is drawn on them; outlines of one-piece bodies."""

from __future__ import annotations

import cv2
import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.clothes import draw_skirt
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour
from torchserve_model.synthesis.sketch import Sketch


def torso_outline(rng: np.random.Generator, plan: BodyPlan) -> Points:
    """Closed outline of the torso; its top centre is the origin."""
    t = np.linspace(0.0, 1.0, 25)
    half = plan.half_width(t)
    y = t * plan.torso_h
    if plan.torso in ("ellipse", "squircle"):
        angle = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
        power = 1.0 if plan.torso == "ellipse" else 0.5
        c, s = np.cos(angle), np.sin(angle)
        x = plan.torso_w * np.sign(c) * np.abs(c) ** power
        return np.stack((x, plan.torso_h / 2 * (1 + np.sign(s) * np.abs(s) ** power)), axis=1)
    uneven = 1.0 + rng.normal(0, 0.05, 2)
    right = np.stack((half * uneven[0], y), axis=1)
    left = np.stack((-half * uneven[1], y), axis=1)[::-1]
    outline = np.concatenate((right, left))
    if not plan.rounded:
        bottom = np.linspace(1, -1, 9)[1:-1, None] * np.array([half[-1], 0.0])
        bottom[:, 1] += plan.torso_h + rng.normal(0, 0.008) * np.cos(np.linspace(-1.4, 1.4, 7))
        outline = np.concatenate((right, bottom, left))
        if rng.random() < 0.3:
            outline = curves.smooth(outline[::3], 2, closed=True)
        return outline
    return curves.smooth(outline[::2], 1, closed=True)


def draw_torso(sketch: Sketch, plan: BodyPlan, *, fill: Colour | None, hide: bool) -> None:
    """Draw the torso, its skirt and what decorates them."""
    rng = sketch.rng
    if plan.torso == "none":
        return
    if plan.torso == "line":
        sketch.line(curves.resample(curves.polyline((0.0, 0.0), (0.0, plan.torso_h)), 14))
        return
    if plan.skirt:
        draw_skirt(sketch, plan, hide=hide)
    outline = torso_outline(rng, plan)
    if not plan.rounded and fill is None and rng.random() < (0.2 if plan.family == "crude" else 0.05):
        _draw_open(sketch, plan)
    else:
        sketch.shape(outline, fill=fill, hide=hide)
    if plan.face == "head":
        _decorate(sketch, plan)
    else:
        _grain(sketch, plan)


def _draw_open(sketch: Sketch, plan: BodyPlan) -> None:
    """Two sides without a top, and now and then without a bottom."""
    t = np.linspace(0.0, 1.0, 14)
    half, y = plan.half_width(t), t * plan.torso_h
    right, left = np.stack((half, y), axis=1), np.stack((-half, y), axis=1)
    sketch.cover(np.concatenate((right, left[::-1])))
    sketch.line(right)
    sketch.line(left)
    for ends, chance in (((left[0], right[0]), 0.4), ((left[-1], right[-1]), 0.6)):
        if sketch.rng.random() < chance:
            sketch.line(curves.polyline(*ends))


def _decorate(sketch: Sketch, plan: BodyPlan) -> None:
    """Belts, buttons, stripes, collars, pockets, letters."""
    rng, h = sketch.rng, plan.torso_h

    def across(t: float) -> Points:
        half = float(plan.half_width(np.array([t]))[0])
        return curves.polyline((-half, t * h), (0.0, t * h + rng.normal(0, 0.006)), (half, t * h))

    if plan.waistline:
        t = rng.uniform(0.45, 0.8)
        sketch.line(across(t))
        if rng.random() < 0.4:
            sketch.line(across(t + 0.06))
    if rng.random() < 0.2:
        for t in np.linspace(0.25, 0.8, int(rng.integers(2, 6))):
            sketch.dot(np.array([rng.normal(0, 0.003), t * h]), rng.uniform(0.005, 0.012))
    if rng.random() < 0.06:
        for t in np.linspace(0.15, 0.9, int(rng.integers(3, 8))):
            sketch.line(
                across(float(t)), colour=sketch.medium.palette(rng) if sketch.medium.line_colours else None
            )
    if rng.random() < 0.1:
        sketch.line(curves.polyline((-0.3 * plan.torso_w, 0.0), (0.0, 0.18 * h), (0.3 * plan.torso_w, 0.0)))
    if rng.random() < 0.08:
        sketch.line(curves.polyline((0.0, 0.02 * h), (0.0, 0.98 * h)))
    if rng.random() < 0.12:
        _scrawl(sketch, np.array([0.0, rng.uniform(0.3, 0.6) * h]), plan.torso_w * 0.35)


def _grain(sketch: Sketch, plan: BodyPlan) -> None:
    """Bands, spots and creases of fruit, sweets and monsters."""
    rng, h = sketch.rng, plan.torso_h
    if rng.random() < 0.2:
        for _ in range(int(rng.integers(2, 9))):
            t = rng.uniform(0.1, 0.9)
            x = rng.uniform(-0.7, 0.7) * float(plan.half_width(np.array([t]))[0])
            r = rng.uniform(0.006, 0.02)
            sketch.shape(curves.arc(np.array([x, t * h]), r, r, count=12))
    if rng.random() < 0.2:
        for f in np.linspace(-0.6, 0.6, int(rng.integers(2, 5))):
            down = np.linspace(rng.uniform(0.05, 0.2), rng.uniform(0.5, 0.95), 12)
            sketch.line(np.stack((f * plan.half_width(down), down * h), axis=1))
    if rng.random() < 0.15:
        for t in rng.uniform(0.1, 0.9, int(rng.integers(1, 4))):
            half = float(plan.half_width(np.array([t]))[0])
            sketch.line(curves.polyline((-half, t * h), (0.0, t * h + 0.02), (half, t * h)))


def _scrawl(sketch: Sketch, centre: Points, size: float) -> None:
    rng = sketch.rng
    for _ in range(int(rng.integers(2, 5))):
        a, b = rng.uniform(-size, size, (2, 2))
        sketch.line(curves.polyline(centre + a, centre + b), width=0.9)


_RASTER = 220.0
"""Pixels a figure unit when outlines are merged; a pixel is finer than any hand."""


def union_outline(outlines: list[Points]) -> Points:
    """The outer contour of overlapping closed outlines."""
    everything = np.concatenate(outlines)
    low = everything.min(axis=0) - 0.03
    width, height = ((everything.max(axis=0) + 0.03 - low) * _RASTER).astype(int) + 1
    raster = np.zeros((int(height), int(width)), np.uint8)
    for outline in outlines:
        cv2.fillPoly(raster, [np.round((outline - low) * _RASTER * 16).astype(np.int32)], 255, shift=4)
    # rounds armpits and crotches, where a pen turns
    rounded = cv2.GaussianBlur(raster, (0, 0), 1.8)
    contours, _ = cv2.findContours((rounded > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    biggest = max(contours, key=len)[:, 0].astype(np.float64)
    return biggest[::3] / _RASTER + low
