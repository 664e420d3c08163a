"""Meshing a figure, whatever its mask, and dividing it among its bones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from animation_server.character import Character
from animation_server.rig.mask_topology import grow_keeping_gaps
from animation_server.rig.mesh import Mesh, build_mesh, px_to_rig, rig_to_px
from animation_server.rig.parts import label_bones, triangle_bones
from animation_server.rig.working_mask import WORKING_SIZE, make_working_mask
from tests.puppetry import drawn_character, odd_characters


def mesh_of(mask: NDArray[np.bool_], joints: object = ((0.0, 0.0),)) -> Mesh:
    return build_mesh(make_working_mask(mask, np.asarray(joints, dtype=float)))


def double_areas(mesh: Mesh) -> NDArray[np.float64]:
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    ab, ac = b - a, c - a
    return ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]


def n_pieces(mesh: Mesh, *, glued: bool = False) -> int:
    triangles = np.concatenate((mesh.triangles, mesh.glue)) if glued else mesh.triangles
    edges = np.concatenate((triangles[:, [0, 1]], triangles[:, [1, 2]]))
    n = len(mesh.vertices)
    links = coo_array((np.ones(len(edges), dtype=bool), edges.T), shape=(n, n))
    return int(connected_components(links, directed=False)[0])


def covered(mesh: Mesh, shape: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros(shape, np.uint8)
    for triangle in rig_to_px(mesh.vertices, *shape)[mesh.triangles]:
        cv2.fillPoly(canvas, [np.rint(triangle * 256).astype(np.int32)], 1, shift=8)
    return canvas > 0


@given(odd_characters())
@settings(max_examples=80, deadline=None)
def test_any_mask_gives_a_sound_mesh_in_one_piece(character: Character) -> None:
    """One piece if glued, counter-clockwise triangles, every vertex used; whatever mask and joints."""
    mesh = mesh_of(character.mask, character.skeleton.joints_px)
    assert np.isfinite(mesh.vertices).all()
    assert (double_areas(mesh) > 0).all()
    assert set(mesh.triangles.ravel()) == set(range(len(mesh.vertices)))
    assert n_pieces(mesh, glued=True) == 1


def test_covers_the_figure_with_few_vertices() -> None:
    """Every pixel of the mask lies in a triangle, stick limbs included."""
    character = drawn_character()
    mesh = mesh_of(character.mask, character.skeleton.joints_px)
    assert not (character.mask & ~covered(mesh, character.mask.shape)).any()
    assert 200 < len(mesh.vertices) < 900


def test_size_does_not_depend_on_the_photograph() -> None:
    """Four times the pixels make no more than a few vertices more."""
    character = drawn_character()
    large = np.kron(character.mask, np.ones((4, 4), dtype=bool))
    small_mesh = mesh_of(character.mask, character.skeleton.joints_px)
    large_mesh = mesh_of(large, character.skeleton.joints_px * 4)
    assert len(large_mesh.vertices) < 1.2 * len(small_mesh.vertices)
    assert max(make_working_mask(large, [[0, 0]]).pixels.shape) < WORKING_SIZE + 20


@pytest.mark.parametrize("spacing", [4, 6, 16])
def test_a_grid_is_covered_with_few_vertices(spacing: int) -> None:
    """A mask with an outline longer than any figure's loses its gaps, not its pixels."""
    mask = np.zeros((250, 250), dtype=bool)
    mask[::spacing] = mask[:, ::spacing] = True
    mesh = mesh_of(mask)
    assert not (mask & ~covered(mesh, mask.shape)).any()
    assert len(mesh.vertices) < 3000


@pytest.mark.parametrize("share", [0.2, 0.3, 0.5])
def test_noise_has_few_vertices(share: float) -> None:
    """What a failed segmentation leaves costs no more than a figure or two."""
    noise = np.random.default_rng(0).random((250, 250)) < share
    assert len(mesh_of(noise).vertices) < 3000


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_thin_limbs_stay_whole(thickness: int) -> None:
    """A line of a pixel's width in a large drawing is neither lost nor torn."""
    mask = np.zeros((900, 700), np.uint8)
    cv2.line(mask, (30, 40), (640, 850), 1, thickness)
    mesh = mesh_of(mask > 0)
    assert n_pieces(mesh) == 1
    assert (~covered(mesh, mask.shape) & (mask > 0)).sum() <= 2


def test_a_gap_between_limbs_stays_open() -> None:
    """Two bars a pixel apart, joined at one end, are not meshed together along the gap."""
    mask = np.zeros((120, 120), dtype=bool)
    mask[10:110, 20:58] = mask[10:110, 59:98] = mask[10:22, 20:98] = True
    mesh = mesh_of(mask)
    corners = rig_to_px(mesh.vertices, *mask.shape)[mesh.triangles]
    below = corners[(corners[..., 1] > 30).all(axis=1)]
    assert not ((below[..., 0].min(axis=1) < 57) & (below[..., 0].max(axis=1) > 60)).any()


def test_islands_and_joints_outside_are_reached_and_told_of() -> None:
    """What lies apart joins the mesh, and a sentence says so."""
    mask = np.zeros((100, 100), dtype=bool)
    mask[10:40, 10:40] = mask[70:90, 70:90] = True
    working = make_working_mask(mask, [[20, 20], [20, 80], [900, 0]])
    told = " ".join(working.repairs)
    assert "1 island(s)" in told
    assert "1 joint(s) outside the figure" in told
    assert "1 joint(s) lie outside the picture" in told
    assert n_pieces(build_mesh(working)) == 1


def test_growing_keeps_topology() -> None:
    """Growing adds a pixel all round but closes no hole and joins no pieces."""
    rng = np.random.default_rng(3)
    mask = np.zeros((80, 80), np.uint8)
    mask[2:-2, 2:-2] = cv2.GaussianBlur(rng.random((76, 76)).astype(np.float32), (0, 0), 2) > 0.5
    grown = grow_keeping_gaps(mask)
    assert (grown >= mask).all()
    assert grown.sum() > mask.sum()
    for image, other, connectivity in ((mask, grown, 8), (1 - mask, 1 - grown, 4)):
        counts = [
            cv2.connectedComponents(m.astype(np.uint8), connectivity=connectivity)[0] for m in (image, other)
        ]
        assert counts[0] == counts[1]


def test_rig_frame_round_trip() -> None:
    """Pixels to the rig frame and back; the lower left corner of the picture is the origin, y is up."""
    points = np.random.default_rng(0).uniform(-50, 400, (20, 2))
    np.testing.assert_allclose(rig_to_px(px_to_rig(points, 300, 200), 300, 200), points, atol=1e-10)
    np.testing.assert_allclose(px_to_rig([[0, 300], [200, 0]], 300, 200), [[0, 0], [2 / 3, 1]])


def test_parts_follow_the_bones() -> None:
    """Each limb's pixels belong to its own bone, and triangles take over the labels."""
    character = drawn_character()
    skeleton = character.skeleton
    working = make_working_mask(character.mask, skeleton.joints_px)
    labels = label_bones(working, skeleton.parents, skeleton.joints_px)
    assert ((labels >= 0) == (working.pixels > 0)).all()
    for name in ("left_hand", "right_hand", "left_foot", "right_knee", "neck"):
        joint = skeleton.names.index(name)
        middle = (skeleton.joints_px[joint] + skeleton.joints_px[skeleton.parents[joint]]) / 2
        x, y = np.rint(working.from_texture(middle)).astype(int)
        assert labels[y, x] == joint
    mesh = build_mesh(working)
    owners = triangle_bones(mesh, working, labels)
    assert set(owners) <= set(labels[labels >= 0])


def test_touching_limbs_belong_to_the_bone_they_are_joined_to() -> None:
    """Distance counts inside the figure: across a gap, a nearer bone does not win."""
    mask = np.zeros((100, 100), dtype=bool)
    mask[10:20, 10:60] = mask[10:90, 10:20] = mask[10:90, 24:60] = True
    joints = np.array([[15.0, 15.0], [15.0, 30.0], [42.0, 15.0], [42.0, 85.0]])
    working = make_working_mask(mask, joints)
    labels = label_bones(working, np.array([-1, 0, 0, 2]), joints)
    x, y = np.rint(working.from_texture([17.0, 80.0])).astype(int)
    assert labels[y, x] == 1
