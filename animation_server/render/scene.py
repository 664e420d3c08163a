"""Drawing the frames of a clip: figures over a background, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animation_server.render.camera import Camera, fitting_camera
from animation_server.render.puppet import Puppet
from animation_server.render.raster import draw_mesh, pack
from animation_server.render.texture import Sprite, make_sprite

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are exclusive."""

Drawn = tuple[NDArray[np.uint32], Box]
"""A picture, (height, width) uint32 premultiplied RGBA, and the box outside of which it is background."""

_TEXELS_PER_PIXEL = 1.0
"""Texture is brought to this resolution before it is sampled: more shows grain, less blurs."""

_NEAREST = 0.1
"""World units before the camera where AnimatedDrawings' view begins."""

_OUT_OF_SIGHT = -1.0
"""Where, in a picture, all vertices of a figure that is not seen are put: it covers no pixel."""


@dataclass(frozen=True)
class Actor:
    """A figure as a camera sees it through a clip of N frames.

    puppet, sprite : what is drawn.
    texels : (V, 2) float64, where the mesh's vertices lie in the sprite.
    vertices : (N, V, 2) float64, where they lie in the picture.
    draw_order : (N, J) int64, joints whose bones are drawn, from back to front.
    is_seen : (N,) bool; where not, the vertices cover no pixel.
    """

    puppet: Puppet
    sprite: Sprite
    texels: NDArray[np.float64]
    vertices: NDArray[np.float64]
    draw_order: NDArray[np.int64]
    is_seen: NDArray[np.bool_]


def frame_all(worlds: Sequence[NDArray[np.float64]], width: int, height: int) -> Camera:
    """A camera that keeps every mesh (N, V, 3), world frame, in view in every frame."""
    low = np.min([world[..., :2].min(axis=(0, 1)) for world in worlds], axis=0)
    high = np.max([world[..., :2].max(axis=(0, 1)) for world in worlds], axis=0)
    return fitting_camera(low, high, width, height)


def make_actor(
    puppet: Puppet, world: NDArray[np.float64], draw_order: NDArray[np.int64], camera: Camera
) -> Actor:
    """See a posed mesh through a camera.

    world : (N, V, 3) float64. draw_order : (N, J) int64. A figure is not seen while any of it is behind
    the camera or close to it.
    """
    is_seen = camera.depth(world).min(axis=1) > _NEAREST
    vertices = np.full((*world.shape[:2], 2), _OUT_OF_SIGHT)
    vertices[is_seen] = camera.project(world[is_seen])
    seen = world[int(np.argmax(is_seen))]
    pixels_per_unit = camera.pixels_per_unit(seen.mean(axis=0)) if is_seen.any() else 1.0
    sprite = make_sprite(puppet.cutout, _TEXELS_PER_PIXEL * pixels_per_unit / max(puppet.cutout.alpha.shape))
    return Actor(
        puppet=puppet,
        sprite=sprite,
        texels=sprite.from_texture(puppet.vertices_px),
        vertices=vertices,
        draw_order=np.array(draw_order, dtype=np.int64, order="C"),
        is_seen=is_seen,
    )


def draw_frames(
    actors: Sequence[Actor], width: int, height: int, background: NDArray[np.uint8] | None = None
) -> Iterator[Drawn]:
    """Draw a clip.

    actors : the first is drawn first; all have as many frames.
    background : (height, width, 3) uint8 RGB, or None for a transparent one.

    Yields each frame's picture, (height, width) uint32 premultiplied RGBA, and the box outside of which it is
    background. The picture's memory is used again for the next frame.
    """
    empty = np.zeros((height, width), np.uint32)
    if background is not None:
        opaque = np.full((height, width, 1), 255, np.uint8)
        empty = pack(np.concatenate((background, opaque), axis=2)).copy()
    picture = empty.copy()
    touched: Box = (0, 0, 0, 0)
    for frame in range(len(actors[0].vertices)):
        left, top, right, bottom = touched
        picture[top:bottom, left:right] = empty[top:bottom, left:right]
        for actor in actors:
            draw_mesh(
                picture,
                pack(actor.sprite.rgba),
                actor.vertices[frame],
                actor.texels,
                actor.puppet.triangles,
                actor.puppet.part_starts,
                actor.draw_order[frame],
            )
        touched = _bounds([actor.vertices[frame] for actor in actors], width, height)
        yield picture, touched


def _bounds(meshes: Sequence[NDArray[np.float64]], width: int, height: int) -> Box:
    """The box of the picture that some meshes (V, 2) lie in."""
    low = np.floor(np.min([mesh.min(axis=0) for mesh in meshes], axis=0))
    high = np.ceil(np.max([mesh.max(axis=0) for mesh in meshes], axis=0))
    left, right = np.clip([low[0], high[0]], 0, width).astype(int).tolist()
    top, bottom = np.clip([low[1], high[1]], 0, height).astype(int).tolist()
    return left, top, right, bottom
