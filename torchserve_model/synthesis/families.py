"""Families of figures that children draw, and how often each comes with which tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from torchserve_model.synthesis.anatomy import ROUND_PROFILES, BodyPlan

Mix = Mapping[str, float]
"""Relative frequencies by name."""

_HEADS = {
    "round": 5.0,
    "oval": 3.0,
    "wide": 1.5,
    "blob": 3.0,
    "polygon": 1.0,
    "square": 0.8,
    "egg": 1.0,
    "heart": 0.2,
}
_HANDS = {
    "none": 3.0,
    "circle": 2.0,
    "mitten": 1.5,
    "fingers": 2.5,
    "claws": 0.8,
    "balloons": 0.8,
    "loop": 0.6,
}
_FEET = {
    "none": 2.0,
    "line": 2.0,
    "oval": 3.5,
    "boot": 1.5,
    "triangle": 0.6,
    "toes": 0.8,
    "claws": 0.4,
    "loop": 0.5,
}
_BODIES = {
    "box": 2.5, "trapezoid": 1.5, "wedge": 1.3, "ellipse": 2.5, "squircle": 1.8, "bean": 1.5, "pear": 1.5,
    "hourglass": 0.8, "cone": 0.5, "coat": 0.6, "heart": 0.15, "egg": 0.6,
}  # fmt: skip
_ARMS = {
    "line": 2.2,
    "double": 2.5,
    "tapered": 2.0,
    "balloon": 1.0,
    "blob": 1.2,
    "sausage": 1.5,
    "flared": 0.4,
}
_LEGS = {
    "line": 1.5,
    "double": 2.5,
    "tapered": 1.5,
    "sausage": 1.0,
    "blob": 0.8,
    "balloon": 0.5,
    "flared": 0.8,
}
_LIMBS_OF_TADPOLES = {"line": 4.0, "double": 2.0, "tapered": 1.0, "sausage": 1.0}


def pick(rng: np.random.Generator, options: Mix) -> str:
    """A name drawn by relative frequency."""
    names = list(options)
    weights = np.array([options[name] for name in names])
    return names[int(np.searchsorted(np.cumsum(weights), rng.uniform(0.0, weights.sum()), side="right"))]


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    return float(rng.uniform(low, high)) if rng.random() < chance else 0.0


def _stick(rng: np.random.Generator) -> BodyPlan:
    """Single lines for everything but the head."""
    head = rng.uniform(0.07, 0.19)
    return BodyPlan(
        family="stick",
        head_rx=head * rng.uniform(0.75, 1.25),
        head_ry=head,
        head_shape=pick(rng, _HEADS | {"polygon": 3.0}),
        neck=_sometimes(rng, 0.35, 0.0, 0.08),
        neck_width=0.0,
        torso="line",
        torso_h=rng.uniform(0.2, 0.42),
        torso_w=0.0,
        attach=rng.uniform(0.0, 0.5),
        hip_spread=0.0,
        arm=rng.uniform(0.16, 0.4),
        leg=rng.uniform(0.18, 0.45),
        arm_style="line",
        leg_style="line",
        arm_w=0.0,
        leg_w=0.0,
        hands=pick(rng, _HANDS | {"none": 8.0}),
        feet=pick(rng, _FEET | {"none": 6.0, "line": 4.0, "oval": 1.5}),
    )


def _crude(rng: np.random.Generator) -> BodyPlan:
    """What a finger draws on a screen in ten seconds: a body of a few lines, limbs of one each."""
    torso = pick(rng, {
        "line": 2.0, "box": 4.0, "triangle": 2.0, "trapezoid": 1.2, "cone": 1.0, "ellipse": 1.4,
        "wedge": 0.8, "squircle": 0.6,
    })  # fmt: skip
    torso_w = rng.uniform(0.022, 0.07) if rng.random() < 0.5 else rng.uniform(0.06, 0.15)
    if torso in ("triangle", "cone"):
        torso_w = rng.uniform(0.08, 0.24)
    head = rng.uniform(0.07, 0.17)
    return replace(
        _stick(rng),
        family="crude",
        head_rx=head * rng.uniform(0.7, 1.4),
        head_ry=head,
        head_shape=pick(
            rng, {"polygon": 4.0, "blob": 4.0, "round": 2.0, "square": 1.2, "wide": 1.0, "oval": 1.0}
        ),
        neck=_sometimes(rng, 0.25, 0.0, 0.06),
        neck_width=rng.uniform(0.008, 0.03) if rng.random() < 0.6 else 0.0,
        torso=torso,
        torso_h=rng.uniform(0.2, 0.42),
        torso_w=torso_w,
        attach=rng.uniform(0.02, 0.35),
        hip_spread=rng.uniform(0.45, 1.0),
        arm=rng.uniform(0.13, 0.34),
        leg=rng.uniform(0.12, 0.4),
        hands=pick(rng, _HANDS | {"none": 9.0, "fingers": 3.0}),
        feet=pick(rng, _FEET | {"none": 8.0, "line": 5.0, "oval": 1.0}),
    )


def _outlined(rng: np.random.Generator) -> BodyPlan:
    """A head on a body with limbs, each an outline."""
    head = rng.uniform(0.08, 0.22)
    arms = pick(rng, _ARMS)
    return BodyPlan(
        family="outlined",
        head_rx=head * rng.uniform(0.8, 1.25),
        head_ry=head,
        head_shape=pick(rng, _HEADS),
        neck=_sometimes(rng, 0.35, 0.01, 0.07),
        neck_width=rng.uniform(0.012, 0.04),
        torso=pick(rng, _BODIES),
        torso_h=rng.uniform(0.2, 0.4),
        torso_w=rng.uniform(0.07, 0.2) if rng.random() < 0.88 else rng.uniform(0.2, 0.3),
        attach=rng.uniform(0.02, 0.4) if rng.random() < 0.95 else rng.uniform(0.4, 0.7),
        hip_spread=rng.uniform(0.35, 0.85),
        arm=rng.uniform(0.16, 0.36),
        leg=rng.uniform(0.09, 0.38),
        arm_style=arms,
        leg_style=arms if rng.random() < 0.65 else pick(rng, _LEGS),
        arm_w=rng.uniform(0.014, 0.05),
        leg_w=rng.uniform(0.018, 0.06),
        hands=pick(rng, _HANDS),
        feet=pick(rng, _FEET),
        waistline=bool(rng.random() < 0.35),
    )


def _dress(rng: np.random.Generator) -> BodyPlan:
    """A dress, a coat or a robe in one piece, or a top with a skirt."""
    plan = replace(
        _outlined(rng),
        family="dress",
        attach=rng.uniform(0.02, 0.3),
        hip_spread=rng.uniform(0.2, 0.6),
        leg=rng.uniform(0.06, 0.3),
        waistline=bool(rng.random() < 0.4),
    )
    if rng.random() < 0.4:
        return replace(
            plan,
            torso=pick(rng, {"box": 2.0, "wedge": 1.0, "trapezoid": 1.0, "squircle": 1.0}),
            torso_h=rng.uniform(0.18, 0.3),
            torso_w=rng.uniform(0.06, 0.13),
            skirt=rng.uniform(0.12, 0.28),
        )
    torso = pick(rng, {"triangle": 2.0, "dress": 2.0, "gown": 1.2, "cone": 1.5, "bell": 1.0, "coat": 1.0})
    plan = replace(plan, torso=torso, torso_h=rng.uniform(0.3, 0.6), torso_w=rng.uniform(0.11, 0.27))
    if rng.random() < 0.14:
        return replace(plan, to_the_floor=True, torso_h=rng.uniform(0.55, 0.8), leg=0.02)
    return plan


def _tadpole(rng: np.random.Generator) -> BodyPlan:
    """The head is the body: limbs come straight from it."""
    plan = _outlined(rng)
    limbs = pick(rng, _LIMBS_OF_TADPOLES)
    return replace(
        plan,
        family="tadpole",
        face="body",
        head_rx=0.0,
        head_ry=0.0,
        neck=0.0,
        torso=pick(rng, {
            "ellipse": 5.0, "squircle": 1.5, "egg": 1.0, "box": 1.0, "ghost": 0.6, "bean": 0.6,
            "triangle": 0.5, "heart": 0.3,
        }),
        torso_h=rng.uniform(0.4, 0.7),
        torso_w=rng.uniform(0.15, 0.36),
        attach=rng.uniform(0.1, 0.75),
        hip_spread=rng.uniform(0.15, 0.75),
        arm=rng.uniform(0.12, 0.34),
        leg=rng.uniform(0.1, 0.5),
        arm_style=limbs,
        leg_style=limbs,
        arm_w=plan.arm_w * 0.8,
        leg_w=plan.leg_w * 0.8,
        waistline=False,
    )  # fmt: skip


def _thing(rng: np.random.Generator) -> BodyPlan:
    """A fruit, a bottle, a sweet or a monster with a face, arms and legs."""
    torsos = (*ROUND_PROFILES, "box", "trapezoid", "cone")
    return replace(
        _tadpole(rng),
        family="thing",
        torso=torsos[int(rng.integers(len(torsos)))],
        torso_h=rng.uniform(0.5, 0.8),
        torso_w=rng.uniform(0.16, 0.34),
        attach=rng.uniform(0.15, 0.75),
        leg=rng.uniform(0.08, 0.35),
        hip_spread=rng.uniform(0.25, 0.75),
    )


def _onepiece(rng: np.random.Generator) -> BodyPlan:
    """Torso and limbs, often the head as well, within a single outline."""
    limbs = pick(rng, {"tapered": 2.0, "sausage": 3.0, "pointed": 2.0})
    return replace(
        _outlined(rng),
        family="onepiece",
        torso=pick(
            rng, {"box": 1.5, "squircle": 2.0, "bean": 2.0, "ellipse": 1.5, "trapezoid": 0.8, "wedge": 0.8}
        ),
        arm_style=limbs,
        leg_style=limbs,
        arm_w=rng.uniform(0.02, 0.06),
        leg_w=rng.uniform(0.026, 0.075),
        attach=rng.uniform(0.05, 0.3),
        hip_spread=rng.uniform(0.45, 0.75),
        leg=rng.uniform(0.1, 0.36),
        waistline=False,
        hands=pick(rng, {"none": 4.0, "fingers": 1.0, "circle": 1.0, "balloons": 1.0}),
        feet=pick(rng, {"none": 3.0, "oval": 2.0, "toes": 0.6, "boot": 1.0}),
    )


def _animal(rng: np.random.Generator) -> BodyPlan:
    """A bear, a cat or a rabbit standing upright."""
    head = rng.uniform(0.13, 0.25)
    return replace(
        _outlined(rng),
        family="animal",
        head_rx=head * rng.uniform(0.9, 1.3),
        head_ry=head,
        head_shape=pick(rng, {"round": 3.0, "wide": 2.0, "blob": 1.0, "oval": 1.0}),
        neck=0.0,
        torso=pick(rng, {"ellipse": 3.0, "squircle": 1.0, "bean": 2.0, "pear": 2.0, "egg": 1.0}),
        torso_w=rng.uniform(0.11, 0.22),
        leg=rng.uniform(0.08, 0.24),
    )


def _robot(rng: np.random.Generator) -> BodyPlan:
    """Boxes on boxes."""
    limbs = pick(rng, {"double": 3.0, "line": 1.0})
    return replace(
        _outlined(rng),
        family="robot",
        head_shape="square",
        neck=_sometimes(rng, 0.6, 0.02, 0.07),
        torso=pick(rng, {"box": 4.0, "trapezoid": 1.0, "wedge": 1.0}),
        torso_w=rng.uniform(0.1, 0.2),
        arm_style=limbs,
        leg_style=limbs,
        hands=pick(rng, {"none": 1.0, "claws": 2.0, "circle": 1.0}),
        feet=pick(rng, {"none": 1.0, "boot": 2.0, "line": 1.0}),
    )


_FAMILIES = MappingProxyType({
    "stick": _stick, "crude": _crude, "outlined": _outlined, "dress": _dress, "tadpole": _tadpole,
    "thing": _thing, "onepiece": _onepiece, "animal": _animal, "robot": _robot,
})  # fmt: skip

TOUCH_MIX: Mix = MappingProxyType({
    "crude": 6.0, "stick": 2.5, "outlined": 1.2, "dress": 0.6, "onepiece": 0.6, "tadpole": 0.4, "thing": 0.1,
    "animal": 0.1, "robot": 0.1,
})  # fmt: skip
BRUSH_MIX: Mix = MappingProxyType({
    "onepiece": 2.4, "outlined": 2.0, "stick": 1.0, "crude": 1.0, "tadpole": 0.9, "dress": 0.8, "thing": 0.6,
    "animal": 0.6, "robot": 0.2,
})  # fmt: skip
PAPER_MIX: Mix = MappingProxyType({
    "outlined": 3.2, "dress": 1.8, "stick": 1.3, "tadpole": 1.5, "thing": 1.5, "onepiece": 1.2, "animal": 0.8,
    "crude": 0.5, "robot": 0.3,
})  # fmt: skip


def sample_plan(rng: np.random.Generator, mix: Mix) -> BodyPlan:
    """A body plan of a family drawn from `mix`, of nominal height 1."""
    plan = _FAMILIES[pick(rng, mix)](rng)
    if plan.face == "head" and rng.random() < 0.5:
        # children give the head its size by importance
        grow = rng.uniform(0.7, 1.0) if rng.random() < 0.4 else rng.uniform(1.0, 1.7)
        plan = replace(plan, head_rx=plan.head_rx * grow, head_ry=plan.head_ry * grow)
    if rng.random() < 0.06:
        plan = replace(plan, arm=plan.arm * rng.uniform(0.35, 0.7))
    elif rng.random() < 0.04:
        plan = replace(plan, arm=plan.arm * rng.uniform(1.2, 1.6))
    view = pick(rng, {"front": 8.0, "turned": 1.2, "side": 0.6})
    k = 1.0 / (2 * plan.head_ry + plan.neck + plan.torso_h + plan.skirt + plan.leg)
    return replace(
        plan,
        view=view,
        head_rx=plan.head_rx * k,
        head_ry=plan.head_ry * k,
        neck=plan.neck * k,
        neck_width=plan.neck_width * k,
        torso_h=plan.torso_h * k,
        torso_w=plan.torso_w * k,
        skirt=plan.skirt * k,
        arm=plan.arm * k,
        # the legs' roots lie under the skirt
        leg=(plan.leg + 0.75 * plan.skirt) * k,
        arm_w=plan.arm_w * k,
        leg_w=plan.leg_w * k,
    )
