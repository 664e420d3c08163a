"""Drawing triangles: coverage, sampling, order, and the frames of a clip."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animation_server.render.puppet import make_puppet
from animation_server.render.raster import draw_mesh, draw_triangle, pack, unpack
from animation_server.render.scene import Actor, draw_frames, frame_all, make_actor
from tests.puppetry import drawn_character, swaying

QUAD = np.array([[0, 1, 2], [0, 2, 3]])
ONE_PART, FIRST = np.array([0, 2]), np.array([0])


def smooth_texture(alpha: int = 255) -> NDArray[np.uint8]:
    """(60, 70, 4) premultiplied."""
    noise = np.random.default_rng(0).integers(0, alpha + 1, (60, 70, 4)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    texture[..., 3] = alpha
    return texture


def flat(colour: tuple[int, int, int, int]) -> NDArray[np.uint32]:
    return pack(np.full((4, 4, 4), colour, np.uint8))


@pytest.mark.parametrize(("angle", "scale"), [(0, 1.0), (30, 1.3), (-75, 0.9), (180, 2.0)])
def test_a_quad_is_what_opencv_warps(angle: float, scale: float) -> None:
    """An affinely mapped texture agrees with cv2.warpAffine to two levels, edge pixels apart."""
    texture = smooth_texture()
    matrix = cv2.getRotationMatrix2D((34.5, 29.5), angle, scale)
    matrix[:, 2] += (70.25, 75.5)
    corners = np.array([[0.5, 0.5], [68.5, 0.5], [68.5, 58.5], [0.5, 58.5]])
    on_screen = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    picture = np.zeros((210, 210), np.uint32)
    draw_mesh(picture, pack(texture), on_screen, corners, QUAD, ONE_PART, FIRST)
    wanted = cv2.warpAffine(texture, matrix, (210, 210), flags=cv2.INTER_LINEAR)
    drawn = unpack(picture)
    inside = cv2.erode((drawn[..., 3] == 255).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inside.sum() > 0.9 * scale**2 * 66 * 56
    assert np.abs(drawn.astype(int) - wanted)[inside].max() <= 2


@given(st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_neighbouring_triangles_leave_no_gap_and_no_overlap(seed: int) -> None:
    """A half-transparent fan around a point covers every pixel within exactly once."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    if np.diff(np.append(angles, angles[0] + 2 * np.pi)).max() > 2.3:  # the middle might lie outside
        return
    rim = np.stack((np.cos(angles), np.sin(angles)), axis=1) * 40 + 50 + rng.uniform(-3, 3, 2)
    vertices = np.concatenate((rng.uniform(45, 55, (1, 2)), rim))
    triangles = np.array([[0, 1 + k, 1 + (k + 1) % 9] for k in range(9)])
    picture = np.zeros((100, 100), np.uint32)
    texture = flat((64, 64, 64, 128))
    draw_mesh(picture, texture, vertices, np.ones((10, 2)), triangles, np.array([0, 9]), FIRST)
    alpha = unpack(picture)[..., 3]
    assert set(np.unique(alpha)) <= {0, 128}
    canvas = np.zeros((100, 100), np.uint8)
    cv2.fillConvexPoly(canvas, np.rint((rim - 0.5) * 256).astype(np.int32), 1, shift=8)
    sure = cv2.erode(canvas, np.ones((3, 3), np.uint8)) > 0
    assert (alpha[sure] == 128).all()


def test_alpha_over() -> None:
    """A half-transparent colour over an opaque one, both premultiplied."""
    picture = np.full((8, 8), 0, np.uint32)
    corners = np.array([[-1.0, -1.0], [20.0, -1.0], [-1.0, 20.0]])
    draw_triangle(picture, flat((200, 100, 0, 255)), corners, np.ones((3, 2)))
    draw_triangle(picture, flat((0, 64, 128, 128)), corners, np.ones((3, 2)))
    assert np.abs(unpack(picture)[2, 2].astype(int) - (100, 114, 128, 255)).max() <= 1


def test_parts_are_drawn_in_the_order_asked_for() -> None:
    """The last part named is in front; a part not named is not drawn."""
    vertices = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]] * 2)
    texture = np.zeros((6, 12, 4), np.uint8)
    texture[:, :6] = (255, 0, 0, 255)
    texture[:, 6:] = (0, 0, 255, 255)
    texels = np.array([[2.0, 2.0]] * 3 + [[9.0, 2.0]] * 3)
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    for order, colour in (([0, 1], (0, 0, 255)), ([1, 0], (255, 0, 0)), ([0], (255, 0, 0))):
        picture = np.zeros((9, 9), np.uint32)
        draw_mesh(picture, pack(texture), vertices, texels, triangles, np.array([0, 1, 2]), np.array(order))
        assert tuple(unpack(picture)[2, 2, :3]) == colour


@pytest.mark.parametrize("corner", [np.nan, np.inf, 1e300, -1e9])
def test_wild_vertices_do_no_harm(corner: float) -> None:
    """Vertices far off the picture, infinite or no number at all never write outside it."""
    picture = np.zeros((5, 5), np.uint32)
    corners = np.array([[corner, 1.0], [3.0, corner], [1.0, 3.0]])
    draw_triangle(picture, flat((1, 2, 3, 255)), corners, np.ones((3, 2)))
    draw_triangle(picture, flat((1, 2, 3, 255)), np.zeros((3, 2)), np.ones((3, 2)))


def drawn_actor(n_frames: int = 6) -> Actor:
    character = drawn_character()
    motion = swaying(character, n_frames)
    puppet = make_puppet(character)
    world = puppet.pose(motion, np.arange(n_frames))
    return make_actor(puppet, world, motion.draw_order, frame_all([world], 160, 120))


def frames_of(actor: Actor, background: NDArray[np.uint8] | None = None) -> list[NDArray[np.uint32]]:
    return [picture.copy() for picture, _ in draw_frames([actor], 160, 120, background)]


def test_frames_do_not_depend_on_others_or_on_threads() -> None:
    """Any choice of frames, drawn in any number of threads, gives the same pictures to the last bit."""
    actor = drawn_actor()
    together = frames_of(actor)
    for frame in (0, 3, 5):
        alone = replace(actor, vertices=actor.vertices[[frame]], draw_order=actor.draw_order[[frame]])
        assert (frames_of(alone)[0] == together[frame]).all()
    with ThreadPoolExecutor(4) as pool:
        for pictures in pool.map(lambda _: frames_of(actor), range(8)):
            assert all((a == b).all() for a, b in zip(pictures, together, strict=True))


def test_the_background_is_restored_between_frames() -> None:
    """Outside its box a frame shows the background, and nothing is left of the frame before."""
    background = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    actor = drawn_actor()
    clear = frames_of(actor)
    for (picture, box), alone in zip(draw_frames([actor], 160, 120, background), clear, strict=True):
        rgba = unpack(picture)
        untouched = unpack(alone)[..., 3] == 0
        assert (rgba[untouched, :3] == background[untouched]).all()
        left, top, right, bottom = box
        assert not alone[:top].any()
        assert not alone[bottom:].any()
        assert not alone[:, :left].any()
        assert not alone[:, right:].any()


def test_the_figure_keeps_clear_of_the_picture_edge() -> None:
    """Framed for the whole clip, the figure touches no border in any frame, yet fills one direction."""
    pictures = np.stack(frames_of(drawn_actor())) >> 24 > 0
    assert not pictures[:, [0, -1]].any()
    assert not pictures[:, :, [0, -1]].any()
    rows, columns = np.nonzero(pictures.any(axis=0))
    assert np.ptp(rows) > 0.8 * 120 or np.ptp(columns) > 0.8 * 160
