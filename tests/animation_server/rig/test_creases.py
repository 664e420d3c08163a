"""Parts that merely touch come apart; parts that are joined do not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from hypothesis import given, settings

from animation_server.character import Character, humanoid_skeleton
from animation_server.render.puppet import Puppet, make_puppet
from animation_server.rig.creases import cut_creases, line_strength, narrow_gaps, split_gaps
from animation_server.rig.mesh import px_to_rig
from animation_server.rig.parts import label_bones
from animation_server.rig.working_mask import make_working_mask
from tests.puppetry import drawn_character, odd_characters

INK, PAPER = (30, 30, 60), (240, 240, 236)


def standing_at_attention(*, outlined: bool = True) -> Character:
    """A figure whose arms lie along its body and whose legs touch; with lines between them or without."""
    texture = np.full((400, 300, 3), PAPER, np.uint8)
    mask = np.zeros((400, 300), np.uint8)
    boxes = [(112, 105, 188, 255), (188, 110, 228, 260), (72, 110, 112, 260)]
    boxes += [(116, 255, 150, 385), (150, 255, 184, 385)]
    for left, top, right, bottom in boxes:
        cv2.rectangle(mask, (left, top), (right, bottom), 1, -1)
        if outlined:
            cv2.rectangle(texture, (left, top), (right, bottom), INK, 3)
    cv2.circle(mask, (150, 60), 46, 1, -1)
    cv2.circle(texture, (150, 60), 46, INK, 3)
    sides = {"shoulder": (55, 125), "elbow": (58, 180), "hand": (58, 240)}
    sides |= {"hip": (20, 240), "knee": (16, 305), "foot": (16, 370)}
    points = {"nose": (150.0, 60.0)}
    for name, (x, y) in sides.items():
        points[f"left_{name}"], points[f"right_{name}"] = (150.0 + x, float(y)), (150.0 - x, float(y))
    return Character(texture, mask > 0, humanoid_skeleton(points))


def raise_left_hand(character: Character, puppet: Puppet) -> np.ndarray:
    """How far (V) each vertex is moved when the left arm is held out level, in texture pixels."""
    names, (height, width) = character.skeleton.names, character.mask.shape
    pose = character.skeleton.joints_px.copy()
    shoulder = pose[names.index("left_shoulder")]
    pose[names.index("left_elbow")] = shoulder[0] + 55, shoulder[1]
    pose[names.index("left_hand")] = shoulder[0] + 115, shoulder[1]
    moved = puppet.solver.solve(px_to_rig(pose, height, width)) - puppet.rest_vertices
    return np.linalg.norm(moved, axis=1) * max(height, width)


def test_an_arm_along_the_body_does_not_drag_it_along() -> None:
    """With a line drawn between them the body stays where it is, and the arm comes away."""
    character = standing_at_attention()
    puppet = make_puppet(character)
    assert any("crease" in note for note in puppet.repairs)
    far = raise_left_hand(character, puppet)
    x, y = puppet.vertices_px.T
    body = (x < 178) & (y > 200)
    hand = (x > 195) & (y > 235)
    assert far[body].max() < 6
    assert far[hand].min() > 100


def legs_with_a_gap(width: int = 12) -> Character:
    """Standing at attention, legs apart by a strip of paper that the mask takes for figure."""
    character = standing_at_attention()
    texture = character.texture.copy()
    left, right = 150 - width // 2, 150 + width // 2
    texture[255:390, 114:187] = PAPER
    for x0, x1 in ((116, left), (right, 184)):
        cv2.rectangle(texture, (x0, 255), (x1, 385), INK, 3)
    return replace(character, texture=texture)


def test_paper_between_parts_that_touch_is_taken_out() -> None:
    """The strip between two legs is neither's: it is not drawn; all lines and the legs themselves are."""
    character = legs_with_a_gap()
    puppet = make_puppet(character)
    assert any("crease" in note for note in puppet.repairs)
    alpha = puppet.cutout.alpha
    assert (alpha[275:375, 150] < 100).all()
    assert (alpha[275:375, [125, 130, 170, 175]] == 255).all()
    is_ink = (character.texture == INK).all(axis=2) & character.mask
    assert (alpha[is_ink] > 100).mean() > 0.97


def test_what_a_gap_is() -> None:
    """Narrow, between lines, open to the outside, without a bone; and split by a crack within it."""
    for width, is_gap in ((12, True), (24, False)):
        character = legs_with_a_gap(width)
        skeleton = character.skeleton
        working = make_working_mask(character.mask, skeleton.joints_px)
        lines = line_strength(character.texture, working)
        gaps = narrow_gaps(lines, working, skeleton.parents, skeleton.joints_px)
        x, y = np.rint(working.from_texture([150.0, 340.0])).astype(int)
        assert (gaps[y, x] > 0) == is_gap
        hand_x, hand_y = np.rint(working.from_texture([208.0, 240.0])).astype(int)
        assert gaps[hand_y, hand_x] == 0
        crack = np.zeros(gaps.shape, bool)
        assert not split_gaps(gaps, crack).any()
        crack[y - 40 : y + 20, x] = True
        assert split_gaps(gaps, crack)[y, x] == is_gap


def test_without_a_line_nothing_is_cut() -> None:
    """A coat or skirt in one piece must not tear, so skeleton and mask alone do not decide."""
    character = standing_at_attention(outlined=False)
    puppet = make_puppet(character)
    assert not puppet.repairs
    far = raise_left_hand(character, puppet)
    x, y = puppet.vertices_px.T
    assert far[(x < 178) & (y > 200)].max() > 20


def test_cracks_are_closed_to_the_eye() -> None:
    """At rest the meshes on both sides of a crease overlap; a few pixels at its very end may show."""
    character = standing_at_attention()
    puppet = make_puppet(character)
    canvas = np.zeros(character.mask.shape, np.uint8)
    for triangle in puppet.vertices_px[puppet.triangles]:
        cv2.fillPoly(canvas, [np.rint(triangle * 256).astype(np.int32)], 1, shift=8)
    assert (character.mask & (canvas == 0)).sum() <= 6


def test_a_figure_with_free_limbs_is_left_alone() -> None:
    """Where nothing touches nothing is cut, lines across limbs or not."""
    character = drawn_character()
    texture = character.texture.copy()
    cv2.line(texture, (70, 120), (80, 145), INK, 2)
    assert not make_puppet(replace(character, texture=texture)).repairs


@given(odd_characters())
@settings(max_examples=40, deadline=None)
def test_cutting_only_takes_away(character: Character) -> None:
    """Whatever the figure, the cut mask lies within the mask, and something of it is left."""
    skeleton = character.skeleton
    working = make_working_mask(character.mask, skeleton.joints_px)
    lines = line_strength(character.texture, working)
    assert lines.shape == working.pixels.shape
    labels = label_bones(working, skeleton.parents, skeleton.joints_px, lines)
    cut = cut_creases(working, labels, lines, skeleton.parents, skeleton.joints_px)
    assert (cut.pixels <= working.pixels).all()
    assert cut.pixels.any()
