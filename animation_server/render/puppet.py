"""A character made ready to be moved: everything that does not depend on the motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.character import Character
from animation_server.errors import InputError
from animation_server.motion.rig_motion import RigMotion
from animation_server.render.texture import Cutout, cut_out
from animation_server.rig.arap import ArapSolver
from animation_server.rig.creases import cut_creases, line_strength, narrow_gaps, split_gaps
from animation_server.rig.mesh import build_mesh, px_to_rig, rig_to_px
from animation_server.rig.parts import label_bones, triangle_bones
from animation_server.rig.working_mask import make_working_mask


@dataclass(frozen=True)
class Puppet:
    """A figure's mesh, divided among its bones, with its solver and its cutout. V vertices, T triangles, J
    joints.

    joint_names : J names, those of the character's skeleton.
    rest_vertices : (V, 2) float64, rig frame.
    vertices_px : (V, 2) float64 x, y in texture pixels.
    triangles : (T, 3) int64, ordered by the joint whose bone owns them.
    part_starts : (J + 1,) int64; the triangles of joint j are rows part_starts[j] to part_starts[j + 1].
    solver : deforms rest_vertices; its handles are the joints.
    cutout : the figure's texture.
    repairs : what had to be mended in mask and skeleton, one sentence each.
    """

    joint_names: tuple[str, ...]
    rest_vertices: NDArray[np.float64]
    vertices_px: NDArray[np.float64]
    triangles: NDArray[np.int64]
    part_starts: NDArray[np.int64]
    solver: ArapSolver
    cutout: Cutout
    repairs: tuple[str, ...]

    def pose(self, motion: RigMotion, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """The mesh in the world, (n, V, 3) float64, at some frames (n) of a motion.

        Raises InputError when the motion was made for another skeleton.
        """
        if motion.joint_names != self.joint_names:
            raise InputError(
                f"motion: want the joints of the character, {', '.join(self.joint_names)}; "
                f"got {', '.join(motion.joint_names)}"
            )
        root = motion.root_xyz[frames][:, None]
        in_place = motion.joints_xyz[frames] - root
        vertices = np.zeros((len(frames), len(self.rest_vertices), 3))
        vertices[..., :2] = self.solver.solve(in_place[..., :2])
        return vertices + root


def make_puppet(character: Character, *, even_paper: bool = True) -> Puppet:
    """Mesh a character, divide it among its bones and factorise its deformation.

    even_paper : see `cut_out`.
    """
    skeleton = character.skeleton
    height, width = character.mask.shape
    working = make_working_mask(character.mask, skeleton.joints_px)
    lines = line_strength(character.texture, working)
    gaps = narrow_gaps(lines, working, skeleton.parents, skeleton.joints_px)
    barriers = np.where(gaps > 0, np.float32(1.0), lines)
    labels = label_bones(working, skeleton.parents, skeleton.joints_px, barriers)
    uncut = working
    working = cut_creases(uncut, labels, lines, skeleton.parents, skeleton.joints_px)
    cracks = (uncut.pixels > 0) & (working.pixels == 0)
    mesh = build_mesh(working)
    owners = triangle_bones(mesh, working, labels)
    order = np.argsort(owners, kind="stable")
    n_joints = len(skeleton.names)
    return Puppet(
        joint_names=skeleton.names,
        rest_vertices=mesh.vertices,
        vertices_px=rig_to_px(mesh.vertices, height, width),
        triangles=np.ascontiguousarray(mesh.triangles[order]),
        part_starts=np.searchsorted(owners[order], np.arange(n_joints + 1)),
        solver=ArapSolver(
            mesh.vertices,
            np.concatenate((mesh.triangles, mesh.glue)),
            px_to_rig(skeleton.joints_px, height, width),
        ),
        cutout=cut_out(
            character.texture,
            character.mask,
            working.texture_area(split_gaps(gaps, cracks)),
            even_paper=even_paper,
        ),
        repairs=working.repairs,
    )
