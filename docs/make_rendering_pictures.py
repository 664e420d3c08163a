"""Makes the pictures of docs/rendering.md from the sample drawing.

python docs/make_rendering_pictures.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animation_server.animate import prepare
from animation_server.annotate import annotate
from animation_server.drawing import decode_drawing
from animation_server.motion.library import load_motion
from animation_server.one_shot import inference_client
from animation_server.render.backdrop import plain
from animation_server.render.overlay import Overlay, draw_overlays
from animation_server.render.puppet import Puppet
from animation_server.render.raster import unpack
from animation_server.render.scene import draw_frames, frame_all, make_actor
from animation_server.rendering import set_in_motion
from animation_server.rig.mesh import px_to_rig
from animation_server.settings import Settings

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 300, 400
GREEN = (196, 214, 190)


def main() -> None:
    """Write the pictures."""
    drawing = decode_drawing((DOCS / "sample_drawing.jpg").read_bytes())
    with inference_client(Settings()) as models:
        annotation = annotate(drawing, models)
    character = annotation.character
    puppet = prepare(character)
    parents, joints_px = character.skeleton.parents, character.skeleton.joints_px
    rest = np.append(puppet.rest_vertices, np.zeros((len(puppet.rest_vertices), 1)), axis=1)[None]
    joints = np.append(px_to_rig(joints_px, *character.mask.shape), np.zeros((len(parents), 1)), axis=1)[None]

    masked = np.where(character.mask[..., None], character.texture, np.array(GREEN, np.uint8))
    order = np.arange(len(parents))[None]
    looks = ({"bones": True}, {"parts": True, "mesh": True})
    drawn = [_draw(puppet, rest, order, parents, joints, **shown)[0] for shown in looks]
    panels = [_fit(character.texture), _fit(masked), *drawn]
    _save("rendering_puppet.png", np.concatenate(panels, axis=1))

    moved = set_in_motion(character, load_motion("dab")).motion
    frames = np.linspace(0, moved.n_frames - 1, 6).astype(np.int64)[:5]
    world = puppet.pose(moved, frames)
    rows = [
        np.concatenate(
            _draw(puppet, world, moved.draw_order[frames], parents, moved.joints_xyz[frames], **shown), axis=1
        )
        for shown in ({"parts": True, "mesh": True}, {})
    ]
    _save("rendering_frames.png", np.concatenate(rows))


def _draw(
    puppet: Puppet,
    world: NDArray[np.float64],
    order: NDArray[np.int64],
    parents: NDArray[np.int64],
    joints: NDArray[np.float64],
    **shown: bool,
) -> list[NDArray[np.uint8]]:
    camera = frame_all([world], WIDTH, HEIGHT)
    actor = make_actor(puppet, world, order, camera)
    overlay = replace(Overlay(actor, parents, camera.project(joints)), **shown)
    drawn = draw_frames([actor], WIDTH, HEIGHT, plain(GREEN, WIDTH, HEIGHT))
    return [unpack(picture)[..., :3].copy() for picture, _ in draw_overlays(drawn, [overlay])]


def _fit(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(rgb)
    picture.thumbnail((WIDTH, HEIGHT))
    page = Image.new("RGB", (WIDTH, HEIGHT), GREEN)
    page.paste(picture, ((WIDTH - picture.width) // 2, (HEIGHT - picture.height) // 2))
    return np.asarray(page)


def _save(name: str, rgb: NDArray[np.uint8]) -> None:
    picture = Image.fromarray(rgb)
    picture.thumbnail((1100, 1100))
    picture.quantize(96, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
