"""A whole figure: body plan and pose turned into marks and labelled joints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.belongings import draw_behind, draw_held
from torchserve_model.synthesis.clothes import draw_cover
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.families import Mix, sample_plan
from torchserve_model.synthesis.head import draw_face, draw_head
from torchserve_model.synthesis.headwear import draw_ears, draw_hair, draw_hat
from torchserve_model.synthesis.labels import ARMS, LEGS
from torchserve_model.synthesis.limbs import draw_foot, draw_hand, draw_limb, limb_path
from torchserve_model.synthesis.look import Labels, Look, sample_look
from torchserve_model.synthesis.medium import Medium
from torchserve_model.synthesis.onepiece import draw_onepiece
from torchserve_model.synthesis.pose import SIGNS, Pose, sample_pose
from torchserve_model.synthesis.sketch import Mark, Sketch
from torchserve_model.synthesis.torso import draw_torso


@dataclass(frozen=True)
class DrawnFigure:
    """A figure before it is placed on a page.

    marks : in the order in which they were laid down; figure units, about 1 high.
    joints : (13, 2) float64 in the order of the keypoints. visible : (13,) bool, False if not drawn.
    """

    marks: tuple[Mark, ...]
    joints: NDArray[np.float64]
    visible: NDArray[np.bool_]


def draw_figure(rng: np.random.Generator, mix: Mix, medium: Medium) -> DrawnFigure:
    """Sample a body plan from `mix` and a pose, and draw them with `medium`."""
    plan = sample_plan(rng, mix)
    if medium.width > 0.02:
        # a broad brush cannot draw narrow limbs with two lines
        plan = replace(
            plan, arm_w=max(plan.arm_w, medium.width * 0.9), leg_w=max(plan.leg_w, medium.width * 1.0)
        )
    pose = sample_pose(rng, plan)
    sketch = Sketch(rng, medium)
    look = sample_look(rng, medium)
    labels = Labels.of(pose)
    centre = _head_centre(rng, plan)
    visible = np.ones(13, bool)
    with sketch.drawing("belongings"):
        draw_behind(sketch, plan, pose)
    if plan.family == "onepiece":
        draw_onepiece(sketch, plan, pose, labels, look, centre)
    else:
        _draw_in_parts(sketch, plan, pose, labels, look, visible)
        if plan.face == "head":
            with sketch.drawing("head"):
                _draw_neck_and_head(sketch, plan, pose, look, centre)
    if plan.face == "head":
        labels.nose = centre + np.array([pose.facing * plan.head_rx * 0.12, plan.head_ry * 0.05])
        with sketch.drawing("head"):
            _dress_head(sketch, plan, centre, look)
    else:
        labels.nose = _draw_body_face(sketch, plan, pose)
    with sketch.drawing("belongings"):
        draw_held(sketch, labels.hands, plan)
    return _tilted(rng, DrawnFigure(tuple(sketch.marks), labels.stacked(), visible))


def _head_centre(rng: np.random.Generator, plan: BodyPlan) -> Points:
    sink = plan.head_ry * (rng.uniform(0.0, 0.35) if plan.neck == 0.0 else 0.05)
    if plan.torso == "line":
        sink *= 0.2
    x = rng.normal(0, 0.08) * plan.head_rx
    return np.array([x, sink - plan.neck - plan.head_ry])


def _draw_in_parts(
    sketch: Sketch, plan: BodyPlan, pose: Pose, labels: Labels, look: Look, visible: NDArray[np.bool_]
) -> None:
    rng = sketch.rng
    legs = [side for side in (0, 1) if not _left_out(rng, visible, (7 + side, 9 + side, 11 + side))]
    arms = [side for side in (0, 1) if not _left_out(rng, visible, (1 + side, 3 + side, 5 + side))]
    legs_first = plan.family == "dress" or rng.random() < 0.6
    if legs_first:
        _draw_legs(sketch, plan, pose, labels, look, legs)
    if not look.arms_in_front:
        _draw_arms(sketch, plan, pose, labels, look, arms)
    draw_torso(sketch, plan, fill=look.shirt, hide=look.hide)
    if not legs_first:
        _draw_legs(sketch, plan, pose, labels, look, legs)
    if look.arms_in_front:
        _draw_arms(sketch, plan, pose, labels, look, arms)


def _left_out(rng: np.random.Generator, visible: NDArray[np.bool_], joints: tuple[int, ...]) -> bool:
    if rng.random() >= 0.012:
        return False
    visible[list(joints)] = False
    return True


def _draw_arms(
    sketch: Sketch, plan: BodyPlan, pose: Pose, labels: Labels, look: Look, sides: list[int]
) -> None:
    size = max(plan.arm_w * sketch.rng.uniform(1.1, 1.7), sketch.rng.uniform(0.02, 0.04))
    for side in sides:
        path = limb_path(pose.shoulders[side], pose.elbows[side], pose.hands[side], bent=pose.arms_bent)
        labels.elbows[side] = path[len(path) // 2]
        along = _heading(path)
        if plan.arm_style != "line":
            labels.shoulders[side] += (pose.elbows[side] - pose.shoulders[side]) * 0.04
        with sketch.drawing(ARMS[side]):
            draw_limb(
                sketch,
                path,
                plan.arm_style,
                plan.arm_w,
                fill=look.sleeves,
                hide=look.hide and look.arms_in_front,
            )
            if look.sleeve and plan.torso != "line" and plan.face == "head":
                draw_cover(sketch, path, max(plan.arm_w, 0.014) * 1.35, look.sleeve, fill=look.shirt)
            labels.hands[side] = draw_hand(
                sketch, plan.hands, path[-1], along, size, fill=look.skin, hide=look.hide
            )


def _draw_legs(
    sketch: Sketch, plan: BodyPlan, pose: Pose, labels: Labels, look: Look, sides: list[int]
) -> None:
    rng = sketch.rng
    size = max(plan.leg_w * rng.uniform(1.1, 1.8), rng.uniform(0.022, 0.045))
    same_way = float(rng.choice([-1.0, 1.0])) if rng.random() < 0.12 else 0.0
    if plan.to_the_floor:
        _draw_peeping_feet(sketch, plan, pose, look, sides, size)
        return
    for side in sides:
        root = pose.hips[side]
        tuck = plan.torso != "line" and plan.leg_style != "line" and look.hide
        start = root - np.array([0.0, min(0.03, plan.leg_w)]) if tuck else root
        path = limb_path(start, pose.knees[side], pose.feet[side], bent=pose.legs_bent)
        labels.knees[side] = path[len(path) // 2]
        with sketch.drawing(LEGS[side]):
            draw_limb(sketch, path, plan.leg_style, plan.leg_w, fill=look.trousers, hide=False)
            if look.trouser and plan.torso != "line" and plan.face == "head":
                draw_cover(sketch, path, max(plan.leg_w, 0.016) * 1.35, look.trouser, fill=look.trousers)
            outward = pose.facing or same_way or SIGNS[side]
            labels.feet[side] = draw_foot(
                sketch, plan.feet, path[-1], _heading(path), outward, size, fill=look.shoes, hide=look.hide
            )


def _draw_peeping_feet(
    sketch: Sketch, plan: BodyPlan, pose: Pose, look: Look, sides: list[int], size: float
) -> None:
    """Feet below the hem of a dress that hides the legs, or nothing."""
    if sketch.rng.random() < 0.4:
        return
    style = plan.feet if plan.feet in ("oval", "boot", "line") else "oval"
    for side in sides:
        ankle = np.array([pose.feet[side, 0], plan.torso_h])
        with sketch.drawing(LEGS[side]):
            draw_foot(
                sketch, style, ankle, np.array([0.0, 1.0]), SIGNS[side], size, fill=look.shoes, hide=False
            )


def _heading(path: Points) -> Points:
    d = path[-1] - path[-3]
    unit: Points = d / max(float(np.hypot(*d)), 1e-9)
    return unit


def _draw_neck_and_head(sketch: Sketch, plan: BodyPlan, pose: Pose, look: Look, centre: Points) -> None:
    if plan.neck > 0.0:
        bottom = centre[1] + plan.head_ry * 0.95
        if plan.torso == "line":
            sketch.line(curves.polyline((centre[0], bottom), (0.0, 0.0)))
        else:
            w = plan.neck_width
            sketch.cover(curves.polyline((-w, bottom), (w, bottom), (w, 0.0), (-w, 0.0)))
            for sign in SIGNS:
                sketch.line(curves.polyline((sign * w + centre[0], bottom), (sign * w, 0.0)))
    draw_head(
        sketch,
        plan.head_shape,
        centre,
        plan.head_rx,
        plan.head_ry,
        fill=look.skin,
        hide=look.hide,
        profile=pose.facing if plan.view == "side" else 0.0,
    )
    draw_face(
        sketch,
        centre,
        plan.head_rx,
        plan.head_ry,
        pose.facing,
        empty_chance=0.72 if plan.family == "crude" else 0.12,
    )


def _dress_head(sketch: Sketch, plan: BodyPlan, centre: Points, look: Look) -> None:
    rng, rx, ry = sketch.rng, plan.head_rx, plan.head_ry
    if plan.family == "animal":
        kind = str(rng.choice(["cat", "bear", "rabbit", "horns"], p=[0.4, 0.3, 0.2, 0.1]))
        draw_ears(sketch, centre, rx, ry, kind, look.skin)
        return
    bare = 0.85 if plan.family == "crude" else 0.6 if sketch.medium.digital else 0.3
    if rng.random() > bare:
        draw_hair(sketch, centre, rx, ry)
    if rng.random() < (0.04 if plan.family == "crude" else 0.2):
        draw_hat(sketch, centre, rx, ry)
    elif rng.random() < 0.1:
        draw_ears(sketch, centre, rx, ry, str(rng.choice(["human", "human", "horns", "cat"])), look.skin)


def _draw_body_face(sketch: Sketch, plan: BodyPlan, pose: Pose) -> Points:
    """Face of a figure whose head is its body; returns the nose."""
    rng = sketch.rng
    level = rng.uniform(0.25, 0.6) if rng.random() < 0.85 else rng.uniform(0.6, 0.82)
    half = float(plan.half_width(np.array([level]))[0])
    centre = np.array([0.0, level * plan.torso_h])
    size = plan.torso_h * rng.uniform(0.18, 0.4)
    draw_face(sketch, centre, half * rng.uniform(0.6, 1.0), size, pose.facing, empty_chance=0.03)
    if rng.random() < 0.35:
        top = np.array([0.0, plan.torso_h * 0.42])
        draw_hair(sketch, top, plan.torso_w * 0.9, plan.torso_h * 0.42)
    elif rng.random() < 0.15:
        draw_hat(sketch, np.array([0.0, plan.torso_h * 0.3]), plan.torso_w * 0.7, plan.torso_h * 0.35)
    elif rng.random() < 0.15:
        kind = str(rng.choice(["cat", "horns", "rabbit"]))
        draw_ears(
            sketch, np.array([0.0, plan.torso_h * 0.45]), plan.torso_w * 0.85, plan.torso_h * 0.42, kind, None
        )
    # a face at the foot of the body does not move where the figure's upper end is
    return centre if level < 0.6 else np.array([0.0, 0.38 * plan.torso_h])


def _tilted(rng: np.random.Generator, drawn: DrawnFigure) -> DrawnFigure:
    """The figure leaned, stretched and turned a little as a whole: nobody draws upright and symmetrical."""
    angle = np.deg2rad(rng.normal(0, 3.5) if rng.random() < 0.93 else rng.normal(0, 14))
    c, s = np.cos(angle), np.sin(angle)
    stretch = np.exp(rng.normal(0, 0.07))
    matrix = np.array([[c, -s], [s, c]]) @ np.array([[stretch, rng.normal(0, 0.05)], [0.0, 1.0 / stretch]])
    marks = tuple(replace(m, points=m.points @ matrix.T) for m in drawn.marks)
    return replace(drawn, marks=marks, joints=drawn.joints @ matrix.T)
