"""As-rigid-as-possible deformation: references, and what must hold for any mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animation_server.character import Character
from animation_server.render.puppet import make_puppet
from animation_server.rig.arap import ArapSolver, barycentric
from animation_server.rig.mesh import px_to_rig
from tests.places import SHARED
from tests.puppetry import drawn_character, odd_characters

REFERENCES = sorted((SHARED / "reference").glob("*.npz"))


def grid(n: int = 6) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A square of 2 n² triangles with sides of 1."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1))
    corner = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    halves = [np.stack(half, axis=-1).reshape(-1, 3) for half in ((a, b, c), (a, c, d))]
    return np.stack((x.ravel(), y.ravel()), axis=1), np.concatenate(halves)


HANDLES = np.array([[0.1, 0.1], [0.9, 0.2], [0.5, 0.5], [0.2, 0.95]])


@pytest.mark.skipif(not REFERENCES, reason="the reference numbers are not beside the checkout")
@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_agrees_with_the_reference(path: Path) -> None:
    """The same mesh, handles and formulation in double precision, to 1e-6."""
    with np.load(path) as reference:
        if "arap_pins_xy" not in reference:
            pytest.skip("this reference keeps no solved mesh")
        solver = ArapSolver(reference["rest_vertices"], reference["triangles"], reference["rest_joints_xy"])
        used = reference["vertex_used"]
        solved = solver.solve(reference["arap_pins_xy"])
        assert (solver.pinned == reference["pin_mask"]).all()
        np.testing.assert_allclose(solved[:, used], reference["arap_vertices_xy_f64"][:, used], atol=1e-6)
        assert np.isnan(solved[:, ~used]).all()


@given(st.floats(-np.pi, np.pi), st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
@settings(max_examples=25, deadline=None)
def test_rigid_motion_of_handles_moves_the_mesh_rigidly(angle: float, shift: tuple[float, float]) -> None:
    """Turned and moved handles turn and move every vertex just so."""
    vertices, triangles = grid()
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    solved = ArapSolver(vertices, triangles, HANDLES).solve(HANDLES @ turn.T + shift)
    np.testing.assert_allclose(solved, vertices @ turn.T + shift, atol=1e-8)


@given(odd_characters())
@settings(max_examples=60, deadline=None)
def test_rest_handles_leave_any_mesh_at_rest(character: Character) -> None:
    """Also where joints coincide, lie outside or are too few, and pieces meet in mere points."""
    puppet = make_puppet(character)
    rest = px_to_rig(character.skeleton.joints_px, *character.mask.shape)
    np.testing.assert_allclose(puppet.solver.solve(rest), puppet.rest_vertices, atol=1e-6)


def test_rest_handles_leave_a_figure_at_rest() -> None:
    """To 1e-8 for a mesh that has the shape of a figure."""
    character = drawn_character()
    puppet = make_puppet(character)
    rest = px_to_rig(character.skeleton.joints_px, *character.mask.shape)
    np.testing.assert_allclose(puppet.solver.solve(rest), puppet.rest_vertices, atol=1e-8)


def test_handles_are_reached() -> None:
    """Moved handles carry the points they hold to within a thousandth of the way."""
    vertices, triangles = grid()
    targets = HANDLES + np.array([[0.0, 0.0], [0.1, 0.2], [0.0, 0.1], [-0.1, 0.0]])
    solved = ArapSolver(vertices, triangles, HANDLES).solve(targets)
    weights = barycentric(vertices[triangles], HANDLES)
    inside = weights.min(axis=2).argmax(axis=1)
    held = np.einsum("hc,hcd->hd", weights[np.arange(4), inside], solved[triangles[inside]])
    np.testing.assert_allclose(held, targets, atol=2e-4)


def test_frames_do_not_depend_on_each_other() -> None:
    """A frame's vertices are the same to the last bit alone and among others."""
    character = drawn_character()
    puppet = make_puppet(character)
    rest = px_to_rig(character.skeleton.joints_px, *character.mask.shape)
    handles = rest + np.random.default_rng(1).normal(0, 0.1, (17, *rest.shape))
    together = puppet.solver.solve(handles)
    for frame in (0, 5, 16):
        assert (puppet.solver.solve(handles[frame]) == together[frame]).all()
    assert (puppet.solver.solve(handles[3:11]) == together[3:11]).all()


def test_one_handle_moves_all() -> None:
    """A single handle cannot turn anything; the mesh follows it."""
    vertices, triangles = grid(2)
    solver = ArapSolver(vertices, triangles, [[0.5, 0.5], [7.0, 7.0]])
    assert solver.pinned.tolist() == [True, False]
    moved = solver.solve([[1.5, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(moved - vertices, np.broadcast_to([1.0, -0.5], vertices.shape), atol=1e-12)


def test_wrong_shapes_are_told() -> None:
    """Expected and given shapes are in the message."""
    vertices, triangles = grid(2)
    with pytest.raises(ValueError, match=r"want \(n, 2\), got \(9, 3\)"):
        ArapSolver(np.zeros((9, 3)), triangles, HANDLES)
    with pytest.raises(ValueError, match="below 9, got 99"):
        ArapSolver(vertices, [[0, 1, 99]], HANDLES)
    with pytest.raises(ValueError, match=r"\(4, 2\), got \(3, 2\)"):
        ArapSolver(vertices, triangles, HANDLES).solve(HANDLES[:3])


def test_factors_are_gone_once_the_solver_is_made() -> None:
    """None outlives it to be freed by another thread, where SuperLU would not give its memory back."""
    vertices, triangles = grid()
    plan = ArapSolver(vertices, triangles, HANDLES)._plan
    arrays = [array for part in plan for array in (part if isinstance(part, tuple) else (part,))]
    while arrays:
        base = arrays.pop().base
        assert base is None or isinstance(base, np.ndarray)
        if base is not None:
            arrays.append(base)
