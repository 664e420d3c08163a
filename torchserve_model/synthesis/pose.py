"""Where the joints are: shoulders and hips from the body plan, limbs from sampled angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.curves import Points

LEFT, RIGHT = 0, 1
SIGNS = (1.0, -1.0)
"""A figure that faces us has its left side at the image's right."""


@dataclass(frozen=True)
class Pose:
    """Joints in figure units: (2, 2) arrays, left then right; the torso's top centre is the origin, y down.

    bent : whether limbs have corners at elbow and knee rather than bow.
    """

    shoulders: Points
    elbows: Points
    hands: Points
    hips: Points
    knees: Points
    feet: Points
    arms_bent: bool
    legs_bent: bool
    facing: float


def sample_pose(rng: np.random.Generator, plan: BodyPlan) -> Pose:
    """Joints of a figure built to `plan`."""
    facing = 0.0 if plan.view == "front" else float(rng.choice([-1.0, 1.0]))
    shoulders, hips = _shoulders(rng, plan), _hips(rng, plan)
    if plan.view == "side":
        shoulders[:, 0] *= rng.uniform(0.0, 0.4)
        hips[:, 0] *= rng.uniform(0.3, 0.9)
    upper, bend = _arm_angles(rng, facing)
    arm = plan.arm * np.array([1.0, 1.0 + 0.12 * rng.normal()])
    elbows, hands = _limb(shoulders, arm, upper, bend, rng.uniform(0.42, 0.56))
    thigh, knee = _leg_angles(rng, plan, facing)
    if plan.to_the_floor:
        return Pose(
            shoulders,
            elbows,
            hands,
            *_hidden_legs(rng, plan),
            arms_bent=bool(rng.random() < 0.4),
            legs_bent=False,
            facing=facing,
        )
    leg = plan.leg * np.array([1.0, 1.0 + 0.06 * rng.normal()])
    knees, feet = _limb(hips, leg, thigh, knee, rng.uniform(0.44, 0.54))
    return Pose(
        shoulders,
        elbows,
        hands,
        hips,
        knees,
        feet,
        bool(rng.random() < 0.4),
        bool(rng.random() < 0.4),
        facing,
    )


def _shoulders(rng: np.random.Generator, plan: BodyPlan) -> Points:
    t = plan.attach + rng.normal(0, 0.025, 2) * (rng.random() < 0.6)
    t = t.clip(0.0, 0.92)
    half = plan.half_width(t)
    if plan.torso == "line":
        half = np.full(2, rng.uniform(0.004, 0.022))
    elif plan.rounded and plan.family not in ("tadpole", "thing"):
        # arms never come from the very crown of a rounded body
        t = np.maximum(t, 0.12)
        half = plan.half_width(t)
    inset = (
        np.minimum(plan.arm_w * rng.uniform(0.4, 1.2), half * 0.5)
        if plan.arm_style != "line"
        else half * rng.uniform(0.0, 0.12)
    )
    y = t * plan.torso_h + (plan.arm_w * 0.9 if plan.arm_style != "line" else 0.0) * (t < 0.2)
    return np.stack(((half - inset) * SIGNS, y), axis=1)


def _hips(rng: np.random.Generator, plan: BodyPlan) -> Points:
    half = float(plan.half_width(np.array([0.97 if not plan.rounded else 0.8]))[0])
    spread = max(plan.hip_spread * half, 0.0)
    if plan.leg_style != "line":
        spread = min(max(spread, plan.leg_w * 1.02), max(half - plan.leg_w * 0.6, plan.leg_w))
    if plan.torso == "line":
        spread = rng.uniform(0.003, 0.014)
    if plan.skirt:
        spread = half * rng.uniform(0.3, 0.75)
    x = spread * np.array(SIGNS) + rng.normal(0, 0.004, 2)
    # under a skirt the legs begin a little below the waist
    return np.stack((x, _bottom(plan, np.abs(x)) + plan.skirt * rng.uniform(0.05, 0.3)), axis=1)


def _hidden_legs(rng: np.random.Generator, plan: BodyPlan) -> tuple[Points, Points, Points]:
    """Hips, knees and feet within a dress: where a reader of the drawing supposes them."""
    share = rng.uniform(0.25, 0.45)
    t = np.array([rng.uniform(0.5, 0.58), 0.76, rng.uniform(0.96, 1.0)])
    x = share * plan.half_width(t)
    x[:] = np.linspace(x[0], max(x[0], x[2] * 0.8), 3)
    rows = [np.stack((np.array(SIGNS) * x[k], np.full(2, t[k] * plan.torso_h)), axis=1) for k in range(3)]
    return rows[0], rows[1], rows[2]


def _bottom(plan: BodyPlan, x: Points) -> Points:
    """Height of the torso's lower edge at distance x from the axis."""
    t = np.linspace(1.0, 0.5, 26)
    half = np.maximum.accumulate(plan.half_width(t) + np.linspace(0, 1e-6, 26))
    return (
        np.asarray(np.interp(x, half, t), dtype=np.float64) * plan.torso_h
        if half[-1] > 1e-3
        else np.full_like(x, plan.torso_h)
    )


def _arm_angles(rng: np.random.Generator, facing: float) -> tuple[Points, Points]:
    """Angles from straight down, outward positive, radians: upper arm, and bend of the forearm."""
    mode = rng.choice(
        ["t", "down", "slope", "up", "free", "akimbo", "dance"], p=[0.24, 0.17, 0.25, 0.12, 0.12, 0.03, 0.07]
    )
    jitter = rng.normal(0, 7, 2)
    straight = rng.random() < 0.5
    bend = rng.normal(0, 5 if straight else 26, 2)
    if mode == "t":
        upper = rng.uniform(76, 102) + jitter
    elif mode == "down":
        upper = rng.uniform(6, 32) + jitter * 0.6
        bend *= 0.5
    elif mode == "slope":
        upper = rng.uniform(32, 76) + jitter
    elif mode == "up":
        upper = rng.uniform(105, 165) + jitter
        bend *= 0.6
    elif mode == "akimbo":
        upper = rng.uniform(35, 65) + jitter
        bend = -rng.uniform(70, 115, 2)
    else:
        upper = rng.uniform(5, 165, 2)
        if mode == "dance":
            bend = rng.choice([-1.0, 1.0], 2) * rng.uniform(30, 100, 2)
            # a forearm that folds back over the upper arm is no pose that children draw
            bend = np.where((upper < 60) & (bend < -70), -bend, bend)
    if facing and rng.random() < 0.35:
        # seen from the side both arms reach forward
        upper = np.array([facing, -facing]) * rng.uniform(30, 100) + jitter
    return np.deg2rad(upper), np.deg2rad(bend)


def _leg_angles(rng: np.random.Generator, plan: BodyPlan, facing: float) -> tuple[Points, Points]:
    mode = rng.choice(
        ["straight", "splay", "wide", "lean", "stride", "cross", "dance"],
        p=[0.42, 0.3, 0.1, 0.05, 0.06, 0.02, 0.05],
    )
    if (plan.torso == "line" or (plan.leg < 0.16 and rng.random() < 0.4)) and mode == "straight":
        mode = "splay"
    jitter = rng.normal(0, 3, 2)
    bend = rng.normal(0, 4, 2)
    if plan.skirt and mode in ("wide", "dance", "stride"):
        mode = "straight"
    if mode == "straight":
        thigh = rng.uniform(-3, 7) + jitter
    elif mode == "splay":
        thigh = rng.uniform(8, 32) + jitter
    elif mode == "wide":
        thigh = rng.uniform(30, 62) + jitter
        bend = rng.normal(-10, 12, 2)
    elif mode == "lean":
        lean = rng.uniform(-25, 25)
        thigh = np.array([lean, -lean]) + jitter
    elif mode == "stride":
        ahead = facing or float(rng.choice([-1.0, 1.0]))
        thigh = rng.uniform(14, 38, 2)
        bend = np.array([-ahead, ahead]) * rng.uniform(0, 40, 2)
    elif mode == "cross":
        thigh = -rng.uniform(8, 20) + jitter
    else:
        thigh = rng.uniform(-5, 70, 2)
        bend = -rng.uniform(0, 80, 2) * (thigh > 20) + jitter
    return np.deg2rad(thigh), np.deg2rad(bend)


def _limb(root: Points, total: Points, angle: Points, bend: Points, share: float) -> tuple[Points, Points]:
    signs = np.array(SIGNS)
    first = np.stack((signs * np.sin(angle), np.cos(angle)), axis=1) * (total * share)[:, None]
    turned = angle + bend
    second = np.stack((signs * np.sin(turned), np.cos(turned)), axis=1) * (total * (1.0 - share))[:, None]
    middle = root + first
    return middle, middle + second
