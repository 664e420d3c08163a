"""What is fuzzed: functions of bytes that return, or raise what their documentation says they raise.

Every other exception, and every broken promise about what is returned, is a finding. The tests replay all
kept inputs through the same functions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from animation_server.api.mask_image import decode_mask
from animation_server.character import read_character
from animation_server.drawing import DecodeLimits, decode_drawing
from animation_server.errors import AnimationError, InputError
from animation_server.inference.answers import parse_detections, parse_pose
from animation_server.motion.config import load_motion_config, load_retarget_config
from animation_server.scene.config import load_scene_config
from bvh_tools.bvh_parser import parse_bvh
from bvh_tools.errors import BvhError
from bvh_tools.keys import parse_keys
from torchserve_model.handlers.base import BadImageError, decode_image

LIMITS = DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 21, working_size=256)
CROP = (48, 40)
"""Height and width of the crop whose pose is answered."""


def fuzz_drawing(data: bytes) -> None:
    """An uploaded image."""
    try:
        drawing = decode_drawing(data, LIMITS)
    except InputError:
        return
    height, width, channels = drawing.rgb.shape
    assert channels == 3
    assert drawing.rgb.dtype == np.uint8
    assert max(height, width) <= LIMITS.working_size
    assert drawing.width * drawing.height <= LIMITS.max_pixels


def fuzz_handler_image(data: bytes) -> None:
    """An image that a model worker is asked about."""
    try:
        image = decode_image({"data": data})
    except BadImageError:
        return
    assert image.shape[2:] == (3,)
    assert image.dtype == np.uint8
    assert image.size


def fuzz_mask(data: bytes) -> None:
    """A character's mask as a person corrects it."""
    height, width = CROP
    try:
        mask = decode_mask(data, (width, height))
    except InputError:
        return
    assert mask.shape == CROP
    assert mask.any()


def fuzz_bvh(data: bytes) -> None:
    """A motion file."""
    try:
        clip = parse_bvh(data.decode("latin-1"))
    except BvhError:
        return
    assert clip.translations.shape == (clip.n_frames, clip.skeleton.n_joints, 3)
    assert clip.rotations.shape == (clip.n_frames, clip.skeleton.n_joints, 4)
    assert np.isfinite(clip.translations).all()
    assert np.isfinite(clip.rotations).all()


def fuzz_motion_keys(data: bytes) -> None:
    """Key poses from which a motion is built."""
    try:
        score = parse_keys(data.decode("utf-8", errors="replace"))
    except BvhError:
        return
    for track in score.tracks.values():
        assert np.isfinite(track.values).all()


def fuzz_character_config(data: bytes) -> None:
    """The skeleton of a character folder whose pictures are sound."""
    folder = _folder()
    (folder / "char_cfg.yaml").write_bytes(data)
    try:
        character = read_character(folder)
    except InputError:
        return
    assert np.isfinite(character.skeleton.joints_px).all()
    assert (character.skeleton.parents < np.arange(len(character.skeleton.names))).all()


def fuzz_motion_config(data: bytes) -> None:
    """AnimatedDrawings' motion configuration."""
    _read(load_motion_config, data)


def fuzz_retarget_config(data: bytes) -> None:
    """AnimatedDrawings' retarget configuration."""
    _read(load_retarget_config, data)


def fuzz_scene_config(data: bytes) -> None:
    """AnimatedDrawings' scene file."""
    _read(load_scene_config, data)


def fuzz_model_answer(data: bytes) -> None:
    """What the models answer, run-length encoded mask included; a first byte P marks a pose."""
    try:
        if data[:1] != b"P":
            parse_detections(data)
            return
        pose = parse_pose(data[1:], CROP)
    except AnimationError:
        return
    assert pose.mask is None or pose.mask.shape == CROP
    assert np.isfinite(pose.keypoints).all()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "drawing": fuzz_drawing,
    "handler_image": fuzz_handler_image,
    "mask": fuzz_mask,
    "bvh": fuzz_bvh,
    "motion_keys": fuzz_motion_keys,
    "character_config": fuzz_character_config,
    "motion_config": fuzz_motion_config,
    "retarget_config": fuzz_retarget_config,
    "scene_config": fuzz_scene_config,
    "model_answer": fuzz_model_answer,
}


def _read(load: Callable[[Path], object], data: bytes) -> None:
    path = _folder() / "motion.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except InputError:
        return


def _folder() -> Path:
    return Path(_temporary_folder().name)


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A character folder without its configuration, and a motion file, until the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    white = cv2.imencode(".png", np.full((*CROP, 3), 255, dtype=np.uint8))[1].tobytes()
    for name in ("texture.png", "mask.png", "motion.bvh"):
        (Path(folder.name) / name).write_bytes(white)
    return folder
