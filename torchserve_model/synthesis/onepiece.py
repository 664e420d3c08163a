"""Bodies within a single outline."""

from __future__ import annotations

import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.anatomy import BodyPlan
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.head import draw_face, draw_head, head_outline
from torchserve_model.synthesis.labels import ARMS, LEGS
from torchserve_model.synthesis.limbs import draw_hand, limb_outline, limb_path
from torchserve_model.synthesis.look import Labels, Look
from torchserve_model.synthesis.pose import SIGNS, Pose
from torchserve_model.synthesis.sketch import Sketch
from torchserve_model.synthesis.torso import torso_outline, union_outline


def draw_onepiece(
    sketch: Sketch, plan: BodyPlan, pose: Pose, labels: Labels, look: Look, centre: Points
) -> None:
    """One contour about torso and limbs, and often the head."""
    rng = sketch.rng
    outlines = [torso_outline(rng, plan)]
    limbs: list[tuple[str, Points]] = []
    for side in (0, 1):
        inner = pose.shoulders[side] * np.array([0.45, 1.0])
        arm = limb_path(inner, pose.elbows[side], pose.hands[side], bent=pose.arms_bent)
        leg = limb_path(
            pose.hips[side] * np.array([1.0, 0.82]), pose.knees[side], pose.feet[side], bent=pose.legs_bent
        )
        # joints are labelled on the limb that shows, not on the part inside the body
        labels.elbows[side] = 0.5 * (pose.shoulders[side] + pose.hands[side]) + (
            arm[7] - 0.5 * (arm[0] + arm[-1])
        )
        labels.knees[side] = leg[8]
        limbs += [
            (ARMS[side], limb_outline(arm, plan.arm_style, plan.arm_w)),
            (LEGS[side], limb_outline(leg, plan.leg_style, plan.leg_w)),
        ]
        if plan.feet in ("oval", "boot") and rng.random() < 0.6:
            toe = np.array([(pose.facing or SIGNS[side]) * plan.leg_w, 0.0])
            foot = curves.arc(leg[-1] + toe * 0.8, plan.leg_w * 1.6, plan.leg_w * 0.8, count=20)
            limbs.append((LEGS[side], foot))
    outlines += [outline for _, outline in limbs]
    fused = rng.random() < 0.35
    if fused:
        head = head_outline(rng, plan.head_shape, centre, plan.head_rx, plan.head_ry)
        limbs.append(("head", head))
        outlines.append(head)
        outlines.append(_slab(plan.neck_width * 1.5, centre[1], 0.1 * plan.torso_h))
    body = union_outline(outlines)
    sketch.shape(body, fill=look.shirt, hide=look.hide)
    for part, outline in limbs:
        with sketch.drawing(part):
            sketch.label(outline)
    # limbs are rooted within the torso
    sketch.label(outlines[0])
    with sketch.drawing("head"):
        if not fused:
            draw_head(
                sketch, plan.head_shape, centre, plan.head_rx, plan.head_ry, fill=look.skin, hide=look.hide
            )
            if plan.neck > 0:
                sketch.cover(_slab(plan.neck_width, centre[1], 0.0))
                sketch.line(curves.polyline((0.0, centre[1] + plan.head_ry), (0.0, 0.0)))
        draw_face(sketch, centre, plan.head_rx, plan.head_ry, pose.facing, empty_chance=0.15)
    for side in (0, 1):
        along = labels.hands[side] - labels.elbows[side]
        along = along / max(float(np.hypot(*along)), 1e-9)
        if plan.hands != "none":
            with sketch.drawing(ARMS[side]):
                labels.hands[side] = draw_hand(
                    sketch,
                    plan.hands,
                    labels.hands[side],
                    along,
                    plan.arm_w * 1.1,
                    fill=look.skin,
                    hide=False,
                )
        labels.hands[side] = labels.hands[side] - along * plan.arm_w * 0.4
        labels.feet[side] = labels.feet[side] - np.array([0.0, plan.leg_w * 0.3])


def _slab(half_width: float, top: float, bottom: float) -> Points:
    return curves.polyline((-half_width, top), (half_width, top), (half_width, bottom), (-half_width, bottom))
