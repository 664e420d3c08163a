"""What figures carry or grow: wings, tails, capes, and things held in a hand."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.pose import SIGNS, Pose
from torchserve_model.synthesis.sketch import Sketch


def draw_behind(sketch: Sketch, plan: BodyPlan, pose: Pose) -> None:
    """Now and then wings, a cape or a tail, before the body covers their roots."""
    rng = sketch.rng
    fill = sketch.medium.palette(rng) if sketch.wants_fill() else None
    plain = plan.family in ("stick", "crude")
    if rng.random() < (0.5 if plan.family == "animal" else 0.02 if plain else 0.05):
        _tail(sketch, plan)
    if rng.random() < (0.005 if plain else 0.035):
        for side, sign in enumerate(SIGNS):
            root = pose.shoulders[side] + np.array([-0.2 * pose.shoulders[side][0], 0.05])
            centre = root + np.array([sign * rng.uniform(0.1, 0.18), -rng.uniform(0.0, 0.1)])
            sketch.shape(
                curves.arc(
                    centre, rng.uniform(0.1, 0.16), rng.uniform(0.08, 0.15), tilt=-sign * 0.5, count=28
                ),
                fill=fill,
            )
    elif rng.random() < (0.0 if plain else 0.02) and plan.face == "head":
        drop = rng.uniform(0.2, 0.45)
        wide = plan.torso_w * rng.uniform(1.3, 2.2)
        sketch.shape(
            curves.polyline(
                (-plan.torso_w * 0.7, 0.0),
                (plan.torso_w * 0.7, 0.0),
                (wide, drop),
                (-wide, drop + rng.normal(0, 0.03)),
            ),
            fill=fill,
        )


def _tail(sketch: Sketch, plan: BodyPlan) -> None:
    rng = sketch.rng
    sign = float(rng.choice([-1.0, 1.0]))
    root = np.array([sign * 0.5 * plan.torso_w, plan.torso_h * rng.uniform(0.75, 0.95)])
    reach = rng.uniform(0.1, 0.25)
    bend = root + np.array([sign * reach, rng.uniform(-0.02, 0.08)])
    tip = root + np.array([sign * reach * rng.uniform(0.8, 1.5), -rng.uniform(0.0, 0.25)])
    path = curves.bow(root, bend, tip)
    if rng.random() < 0.5:
        sketch.line(path)
    else:
        sketch.shape(curves.ribbon(path, 0.02 * (1.2 - np.linspace(0, 1, len(path)))))


def draw_held(sketch: Sketch, hands: Points, plan: BodyPlan) -> None:
    """Now and then a stick, a flower, a balloon, a bag or a sword in one hand."""
    rng = sketch.rng
    if rng.random() >= (0.03 if plan.family in ("stick", "crude") else 0.09):
        return
    side = int(rng.integers(2))
    at, sign = hands[side], SIGNS[side]
    fill = sketch.medium.palette(rng) if sketch.wants_fill() else None
    kind = rng.choice(["stick", "flower", "balloon", "bag", "sword"])
    if kind == "stick":
        lean = rng.normal(0, 0.06)
        sketch.line(
            curves.polyline(
                at + curves.vector(lean, -rng.uniform(0.05, 0.3)),
                at - curves.vector(lean, -rng.uniform(0.05, 0.3)),
            ),
            width=1.3,
        )
    elif kind == "flower":
        top = at + np.array([sign * rng.uniform(0.0, 0.06), -rng.uniform(0.07, 0.16)])
        sketch.line(curves.polyline(at + curves.vector(0.0, 0.03), top))
        for angle in np.linspace(0, 2 * np.pi, int(rng.integers(4, 7)), endpoint=False):
            sketch.shape(
                curves.arc(top + 0.022 * np.array([np.cos(angle), np.sin(angle)]), 0.016, 0.016, count=12),
                fill=fill,
            )
    elif kind == "balloon":
        top = at + np.array([sign * rng.uniform(0.02, 0.12), -rng.uniform(0.15, 0.35)])
        sketch.line(curves.bow(at, (at + top) / 2 + np.array([0.015, 0.0]), top))
        sketch.shape(curves.arc(top - curves.vector(0.0, 0.07), 0.055, 0.07, count=24), fill=fill)
    elif kind == "bag":
        w, h = rng.uniform(0.03, 0.06), rng.uniform(0.04, 0.08)
        sketch.shape(at + np.array([(-w, 0.02), (w, 0.02), (w, 0.02 + h), (-w, 0.02 + h)]), fill=fill)
    else:
        tip = at + np.array([sign * rng.uniform(0.0, 0.15), -rng.uniform(0.15, 0.3)])
        d = (tip - at) / max(float(np.hypot(*(tip - at))), 1e-9)
        n = np.array([-d[1], d[0]])
        sketch.shape(curves.polyline(at + n * 0.012, tip, at - n * 0.012), fill=fill)
        sketch.line(curves.polyline(at + n * 0.035, at - n * 0.035), width=1.2)
