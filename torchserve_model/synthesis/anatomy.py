"""Body plans: which parts a figure has, what they are shaped like and how large they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

TORSO_PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    # half width (share of the widest) by height from top (0) to bottom (1)
    "box": ((0, 1), (1, 1)),
    "trapezoid": ((0, 0.7), (1, 1)),
    "wedge": ((0, 1), (1, 0.6)),
    "triangle": ((0, 0.06), (1, 1)),
    "cone": ((0, 0.25), (1, 1)),
    "hourglass": ((0, 0.9), (0.45, 0.55), (1, 1)),
    "dress": ((0, 0.42), (0.15, 0.5), (0.4, 0.38), (1, 1)),
    "gown": ((0, 0.35), (0.25, 0.32), (0.6, 0.6), (1, 1)),
    "coat": ((0, 0.62), (0.1, 0.75), (1, 1)),
    "bell": ((0, 0.4), (0.3, 0.55), (0.8, 0.85), (1, 1)),
}
ROUND_PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    "pear": ((0, 0.3), (0.15, 0.48), (0.4, 0.62), (0.7, 1), (0.9, 0.82), (1, 0.35)),
    "bean": ((0, 0.3), (0.1, 0.8), (0.4, 1), (0.7, 0.95), (0.92, 0.7), (1, 0.3)),
    "bulb": ((0, 0.28), (0.18, 0.3), (0.4, 0.75), (0.65, 1), (0.9, 0.75), (1, 0.35)),
    "bottle": ((0, 0.3), (0.25, 0.32), (0.4, 0.85), (0.5, 1), (0.95, 1), (1, 0.9)),
    "drop": ((0, 0.04), (0.2, 0.3), (0.5, 0.75), (0.75, 1), (0.93, 0.72), (1, 0.3)),
    "candy": ((0, 0.2), (0.1, 0.45), (0.6, 0.92), (0.9, 1), (1, 0.8)),
    "egg": ((0, 0.2), (0.1, 0.55), (0.35, 0.88), (0.6, 1), (0.88, 0.75), (1, 0.25)),
    "mushroom": ((0, 0.2), (0.12, 0.75), (0.35, 1), (0.48, 0.95), (0.52, 0.45), (0.95, 0.5), (1, 0.42)),
    "heart": ((0, 0.5), (0.08, 0.85), (0.3, 1), (0.6, 0.68), (1, 0.06)),
    "strawberry": ((0, 0.5), (0.1, 0.9), (0.3, 1), (0.7, 0.65), (0.95, 0.2), (1, 0.08)),
    "ghost": ((0, 0.3), (0.1, 0.7), (0.3, 0.95), (1, 1)),
}


@dataclass(frozen=True)
class BodyPlan:
    """Sizes are shares of the nominal height 1; widths of torso and limbs are half widths.

    torso : a profile's name, or "line", "ellipse", "squircle", "none". face : "head" or "body".
    attach : where arms meet the torso, from its top (0) to its bottom (1).
    hip_spread : distance of the legs' roots from the axis, share of the torso's half width.
    """

    family: str
    head_rx: float
    head_ry: float
    head_shape: str
    neck: float
    neck_width: float
    torso: str
    torso_h: float
    torso_w: float
    attach: float
    hip_spread: float
    arm: float
    leg: float
    arm_style: str
    leg_style: str
    arm_w: float
    leg_w: float
    hands: str
    feet: str
    face: str = "head"
    view: str = "front"
    waistline: bool = False
    skirt: float = 0.0

    def half_width(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half width of the torso at heights t, from its top (0) to its bottom (1)."""
        if self.torso in ("line", "none"):
            return np.zeros_like(t)
        if self.torso == "ellipse":
            return self.torso_w * np.sqrt(np.clip(1.0 - (2.0 * t - 1.0) ** 2, 0.0, None))
        if self.torso == "squircle":
            return self.torso_w * np.clip(1.0 - np.abs(2.0 * t - 1.0) ** 4, 0.0, None) ** 0.25
        profile = np.array(TORSO_PROFILES.get(self.torso) or ROUND_PROFILES[self.torso])
        return self.torso_w * np.interp(t, profile[:, 0], profile[:, 1])

    @property
    def rounded(self) -> bool:
        """Whether the torso's outline is smooth."""
        return self.torso in ROUND_PROFILES or self.torso in ("ellipse", "squircle")


def _pick(rng: np.random.Generator, options: dict[str, float]) -> str:
    names = list(options)
    weights = np.array(list(options.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


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
_FEET = {"none": 2.0, "line": 2.0, "oval": 3.5, "boot": 1.5, "triangle": 0.6, "toes": 0.8, "claws": 0.4}


def _stick(rng: np.random.Generator) -> BodyPlan:
    head = rng.uniform(0.07, 0.19)
    torso, leg = rng.uniform(0.2, 0.42), rng.uniform(0.2, 0.45)
    return BodyPlan(
        "stick", head * rng.uniform(0.75, 1.25), head, _pick(rng, _HEADS | {"polygon": 3.0}),
        float(rng.choice([0.0, 0.0, rng.uniform(0.0, 0.08)])), 0.0, "line", torso, 0.0,
        rng.uniform(0.0, 0.5), rng.uniform(0.0, 1.0), rng.uniform(0.16, 0.4), leg, "line", "line", 0.0, 0.0,
        _pick(rng, _HANDS | {"none": 8.0}), _pick(rng, _FEET | {"none": 6.0, "line": 4.0, "oval": 1.5}),
    )  # fmt: skip


def _crude(rng: np.random.Generator) -> BodyPlan:
    """What a finger draws on a screen in ten seconds."""
    head = rng.uniform(0.08, 0.16)
    torso = _pick(
        rng,
        {
            "line": 2.0,
            "box": 4.0,
            "triangle": 2.0,
            "trapezoid": 1.2,
            "cone": 1.0,
            "ellipse": 1.4,
            "wedge": 0.8,
            "squircle": 0.6,
        },
    )
    torso_w = rng.uniform(0.025, 0.07) if rng.random() < 0.5 else rng.uniform(0.06, 0.15)
    if torso in ("triangle", "cone"):
        torso_w = rng.uniform(0.08, 0.22)
    return BodyPlan(
        "crude", head * rng.uniform(0.7, 1.4), head,
        _pick(rng, {"polygon": 4.0, "blob": 4.0, "round": 2.0, "square": 1.2, "wide": 1.0, "oval": 1.0}),
        float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.0, 0.06)])), rng.uniform(0.008, 0.03), torso, rng.uniform(0.22, 0.42), torso_w,
        rng.uniform(0.02, 0.35), rng.uniform(0.45, 1.0), rng.uniform(0.15, 0.32), rng.uniform(0.14, 0.4),
        "line", "line", 0.0, 0.0, _pick(rng, _HANDS | {"none": 9.0, "fingers": 3.0}), _pick(rng, _FEET | {"none": 8.0, "line": 5.0, "oval": 1.0}),
    )  # fmt: skip


def _outlined(rng: np.random.Generator) -> BodyPlan:
    head = rng.uniform(0.08, 0.22)
    torso = _pick(rng, {
        "box": 2.5, "trapezoid": 1.5, "wedge": 1.3, "ellipse": 2.5, "squircle": 1.8, "bean": 1.5, "pear": 1.5, "hourglass": 0.8,
        "cone": 0.5, "coat": 0.6, "heart": 0.15, "egg": 0.6,
    })  # fmt: skip
    limb = _pick(
        rng, {"line": 2.2, "double": 2.5, "tapered": 2.0, "balloon": 1.0, "blob": 1.2, "sausage": 1.5}
    )
    leg = (
        limb
        if rng.random() < 0.65
        else _pick(
            rng, {"line": 1.5, "double": 2.5, "tapered": 1.5, "sausage": 1.0, "blob": 0.8, "balloon": 0.5}
        )
    )
    return BodyPlan(
        "outlined", head * rng.uniform(0.8, 1.25), head, _pick(rng, _HEADS),
        float(rng.choice([0.0, 0.0, rng.uniform(0.01, 0.07)])), rng.uniform(0.012, 0.04), torso, rng.uniform(0.22, 0.4), rng.uniform(0.07, 0.2),
        rng.uniform(0.02, 0.4), rng.uniform(0.35, 0.85), rng.uniform(0.18, 0.36), rng.uniform(0.1, 0.38),
        limb, leg, rng.uniform(0.014, 0.05), rng.uniform(0.018, 0.06), _pick(rng, _HANDS), _pick(rng, _FEET),
        waistline=bool(rng.random() < 0.35),
    )  # fmt: skip


def _dress(rng: np.random.Generator) -> BodyPlan:
    plan = _outlined(rng)
    torso = _pick(rng, {"triangle": 2.0, "dress": 2.0, "gown": 1.2, "cone": 1.5, "bell": 1.0, "coat": 1.0})
    skirt = 0.0
    if rng.random() < 0.4:
        torso, skirt = (
            _pick(rng, {"box": 2.0, "wedge": 1.0, "trapezoid": 1.0, "squircle": 1.0}),
            rng.uniform(0.12, 0.28),
        )
    width = rng.uniform(0.06, 0.13) if skirt else rng.uniform(0.11, 0.27)
    return replace(
        plan, family="dress", torso=torso, torso_w=width, skirt=skirt, leg=rng.uniform(0.06, 0.3),
        torso_h=rng.uniform(0.18, 0.3) if skirt else rng.uniform(0.3, 0.55), attach=rng.uniform(0.02, 0.3),
        hip_spread=rng.uniform(0.2, 0.6), waistline=bool(rng.random() < 0.4),
    )  # fmt: skip


def _tadpole(rng: np.random.Generator) -> BodyPlan:
    """The head is the body: limbs come straight from it."""
    plan = _outlined(rng)
    torso = _pick(
        rng,
        {
            "ellipse": 5.0,
            "squircle": 1.5,
            "egg": 1.0,
            "box": 1.0,
            "ghost": 0.6,
            "bean": 0.6,
            "triangle": 0.5,
            "heart": 0.3,
        },
    )
    limb = _pick(rng, {"line": 4.0, "double": 2.0, "tapered": 1.0, "sausage": 1.0})
    return replace(
        plan, family="tadpole", torso=torso, torso_h=rng.uniform(0.4, 0.7), torso_w=rng.uniform(0.15, 0.36),
        head_rx=0.0, head_ry=0.0, neck=0.0, attach=rng.uniform(0.2, 0.75), hip_spread=rng.uniform(0.2, 0.7), face="body",
        leg=rng.uniform(0.12, 0.5), arm=rng.uniform(0.14, 0.34), arm_style=limb, leg_style=limb, waistline=False,
        arm_w=plan.arm_w * 0.8, leg_w=plan.leg_w * 0.8,
    )  # fmt: skip


def _thing(rng: np.random.Generator) -> BodyPlan:
    """A fruit, a bottle, a sweet or a monster with a face, arms and legs."""
    plan = _tadpole(rng)
    torso = str(rng.choice([*ROUND_PROFILES, "box", "trapezoid", "cone"]))
    return replace(
        plan, family="thing", torso=torso, torso_h=rng.uniform(0.5, 0.8), torso_w=rng.uniform(0.16, 0.34),
        attach=rng.uniform(0.2, 0.75), leg=rng.uniform(0.1, 0.35), hip_spread=rng.uniform(0.25, 0.7),
    )  # fmt: skip


def _onepiece(rng: np.random.Generator) -> BodyPlan:
    """Torso and limbs, often the head as well, within a single outline."""
    plan = _outlined(rng)
    style = _pick(rng, {"tapered": 2.0, "sausage": 3.0, "pointed": 2.0})
    return replace(
        plan, family="onepiece", torso=_pick(rng, {"box": 1.5, "squircle": 2.0, "bean": 2.0, "ellipse": 1.5, "trapezoid": 0.8, "wedge": 0.8}),
        arm_style=style, leg_style=style, arm_w=rng.uniform(0.02, 0.055), leg_w=rng.uniform(0.026, 0.07), attach=rng.uniform(0.05, 0.3),
        hip_spread=rng.uniform(0.45, 0.75), waistline=False, leg=rng.uniform(0.12, 0.36),
        hands=_pick(rng, {"none": 4.0, "fingers": 1.0, "circle": 1.0, "balloons": 1.0}), feet=_pick(rng, {"none": 3.0, "oval": 2.0, "toes": 0.6, "boot": 1.0}),
    )  # fmt: skip


def _animal(rng: np.random.Generator) -> BodyPlan:
    """A bear, a cat or a rabbit standing upright."""
    plan = _outlined(rng)
    head = rng.uniform(0.13, 0.25)
    return replace(
        plan, family="animal", head_rx=head * rng.uniform(0.9, 1.3), head_ry=head, neck=0.0, leg=rng.uniform(0.08, 0.24),
        torso=_pick(rng, {"ellipse": 3.0, "squircle": 1.0, "bean": 2.0, "pear": 2.0, "egg": 1.0}), torso_w=rng.uniform(0.11, 0.22),
        head_shape=_pick(rng, {"round": 3.0, "wide": 2.0, "blob": 1.0, "oval": 1.0}),
    )  # fmt: skip


_FAMILIES = {"stick": _stick, "crude": _crude, "outlined": _outlined, "dress": _dress, "tadpole": _tadpole,
             "thing": _thing, "onepiece": _onepiece, "animal": _animal}  # fmt: skip
TOUCH_MIX = {
    "crude": 6.0,
    "stick": 2.5,
    "outlined": 1.2,
    "dress": 0.6,
    "onepiece": 0.5,
    "tadpole": 0.4,
    "thing": 0.1,
    "animal": 0.1,
}
BRUSH_MIX = {
    "onepiece": 2.2,
    "outlined": 2.0,
    "stick": 1.0,
    "crude": 1.0,
    "tadpole": 0.8,
    "dress": 0.8,
    "thing": 0.6,
    "animal": 0.6,
}
PAPER_MIX = {
    "outlined": 3.2,
    "dress": 1.8,
    "stick": 1.2,
    "tadpole": 1.5,
    "thing": 1.5,
    "onepiece": 1.0,
    "animal": 0.8,
    "crude": 0.4,
}


def sample_plan(rng: np.random.Generator, mix: dict[str, float]) -> BodyPlan:
    """A body plan of a family drawn from `mix`, of nominal height 1."""
    plan = _FAMILIES[_pick(rng, mix)](rng)
    if plan.family not in ("tadpole", "thing"):
        grow = float(rng.choice([1.0, 1.0, rng.uniform(1.0, 1.7), rng.uniform(0.7, 1.0)]))
        plan = replace(plan, head_rx=plan.head_rx * grow, head_ry=plan.head_ry * grow)
    view = _pick(rng, {"front": 8.0, "turned": 1.2, "side": 0.8})
    height = 2 * plan.head_ry + plan.neck + plan.torso_h + plan.skirt + plan.leg
    k = 1.0 / height
    return replace(
        plan, view=view, head_rx=plan.head_rx * k, head_ry=plan.head_ry * k, neck=plan.neck * k, neck_width=plan.neck_width * k,
        torso_h=plan.torso_h * k, torso_w=plan.torso_w * k, arm=plan.arm * k, leg=plan.leg * k, arm_w=plan.arm_w * k,
        leg_w=plan.leg_w * k, skirt=plan.skirt * k,
    )  # fmt: skip
