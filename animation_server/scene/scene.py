"""Scenes: several figures in one picture, each with a motion of its own, as AnimatedDrawings shows them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from animation_server.character import read_character
from animation_server.clip import (
    ClipFormat,
    EncodedClip,
    Format,
    Progress,
    clip_colours,
    encode_clip,
    reported,
)
from animation_server.encode.timing import Timing
from animation_server.motion.library import load_motion
from animation_server.motion.rig_motion import RigMotion
from animation_server.motion.timeline import share_time
from animation_server.render.backdrop import plain, read_picture, stretch
from animation_server.render.camera import Camera, perspective_camera
from animation_server.render.overlay import (
    BONE_COLOUR,
    JOINT_COLOUR,
    MESH_COLOUR,
    Overlay,
    draw_overlays,
    part_colours,
)
from animation_server.render.puppet import Puppet, make_puppet
from animation_server.render.scene import draw_frames, frame_all, make_actor
from animation_server.rendering import set_in_motion
from animation_server.scene.config import SceneCharacter, SceneConfig, ViewSettings

_MOST_FPS = 50.0
"""A scene shows all frames of its clips, or as many as a GIF can."""

_DEFAULT_CAMERA_POS = (0.0, 0.7, 2.0)
_DEFAULT_CAMERA_FWD = (0.0, 0.5, 2.0)
"""AnimatedDrawings' camera where a scene gives but one of the two."""


@dataclass(frozen=True)
class Performer:
    """A figure and how it moves.

    parents : (J,) int64, the joints' parents, for drawing bones.
    """

    puppet: Puppet
    parents: NDArray[np.int64]
    motion: RigMotion


@dataclass(frozen=True)
class Stage:
    """A scene's figures, posed and seen through its camera.

    timing : of the clip. figures : in the file's order, the first is drawn first.
    """

    timing: Timing
    figures: tuple[Overlay, ...]


def render_scene(config: SceneConfig, name: Format, progress: Progress | None = None) -> EncodedClip:
    """Render a scene file as `load_scene_config` reads it.

    Raises InputError when a file that the scene names cannot be used.
    """
    view = config.view
    width, height = view.window_dimensions
    stage = set_stage(config)
    actors = [figure.actor for figure in stage.figures]
    background = scene_background(view, is_opaque=name == "mp4")
    drawn = draw_frames(actors, width, height, background)
    colours = clip_colours(actors, background)
    if view.draw_ad_rig or view.draw_ad_color or view.draw_ad_mesh_lines:
        drawn = draw_overlays(drawn, stage.figures)
        lines = map(_overlay_colours, stage.figures)
        colours = replace(colours, samples=np.concatenate((colours.samples, *lines)))
    drawn = reported(drawn, len(stage.timing.frames), progress)
    kind = ClipFormat(name, width, height, is_picture=view.background_image is not None)
    return encode_clip(drawn, stage.timing, kind, colours)


def set_stage(config: SceneConfig) -> Stage:
    """Load a scene's figures and motions and pose them.

    Time is told by `share_time`: the clip lasts as long as its longest motion. Without a camera the figures
    are framed for the whole clip.
    """
    view = config.view
    performers = [_load(character) for character in config.scene.animated_characters]
    timing, shown = share_time([performer.motion for performer in performers], _MOST_FPS)
    worlds = [p.puppet.pose(p.motion, frames) for p, frames in zip(performers, shown, strict=True)]
    camera = scene_camera(view) or frame_all(worlds, *view.window_dimensions)
    figures = []
    for performer, world, frames in zip(performers, worlds, shown, strict=True):
        actor = make_actor(performer.puppet, world, performer.motion.draw_order[frames], camera)
        joints_xyz = performer.motion.joints_xyz[frames]
        joints = np.zeros_like(joints_xyz[..., :2])
        joints[actor.is_seen] = camera.project(joints_xyz[actor.is_seen])
        if not view.draw_ad_txtr:
            actor = replace(actor, sprite=replace(actor.sprite, rgba=np.zeros_like(actor.sprite.rgba)))
        figures.append(
            Overlay(
                actor,
                performer.parents,
                joints,
                parts=view.draw_ad_color,
                mesh=view.draw_ad_mesh_lines,
                bones=view.draw_ad_rig,
            )
        )
    return Stage(timing, tuple(figures))


def _load(character: SceneCharacter) -> Performer:
    figure = read_character(character.character_cfg.parent, character.character_cfg)
    motion = load_motion(character.motion_cfg, character.retarget_cfg)
    return Performer(make_puppet(figure), figure.skeleton.parents, set_in_motion(figure, motion).motion)


def scene_camera(view: ViewSettings) -> Camera | None:
    """AnimatedDrawings' camera, if the scene gives its place or direction; the other is then its default."""
    if view.camera_pos is None and view.camera_fwd is None:
        return None
    return perspective_camera(
        view.camera_pos or _DEFAULT_CAMERA_POS,
        view.camera_fwd or _DEFAULT_CAMERA_FWD,
        *view.window_dimensions,
    )


def scene_background(view: ViewSettings, *, is_opaque: bool) -> NDArray[np.uint8] | None:
    """The picture (H, W, 3) uint8 behind the figures; None, unless `is_opaque`, for a transparent one.

    Half transparent clear colours count as opaque: a GIF knows no others.
    """
    width, height = view.window_dimensions
    if view.background_image is not None:
        return stretch(read_picture(view.background_image), width, height)
    red, green, blue, alpha = view.clear_color
    if alpha < 0.5 and not is_opaque:
        return None
    return plain((round(255 * red), round(255 * green), round(255 * blue)), width, height)


def _overlay_colours(figure: Overlay) -> NDArray[np.uint8]:
    lines = np.array([MESH_COLOUR, BONE_COLOUR, JOINT_COLOUR], np.uint8)
    colours = np.concatenate((lines, part_colours(len(figure.parents))))
    # each as often as a few hundred pixels, so that the palette has room for them
    return np.repeat(colours, 500, axis=0)
