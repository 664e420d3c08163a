"""A character: what a drawing becomes once it is annotated. Reads and writes AnimatedDrawings' folders.

A folder holds `texture.png` (the crop), `mask.png` (white on the figure) and `char_cfg.yaml` (size and
skeleton; joint locations are whole texture pixels, column then row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from animation_server.errors import InputError
from animation_server.files.safe_yaml import load_yaml

_PNG = b"\x89PNG\r\n\x1a\n"

HUMANOID_PARENTS = {
    "root": None,
    "hip": "root",
    "torso": "hip",
    "neck": "torso",
    "right_shoulder": "torso",
    "right_elbow": "right_shoulder",
    "right_hand": "right_elbow",
    "left_shoulder": "torso",
    "left_elbow": "left_shoulder",
    "left_hand": "left_elbow",
    "right_hip": "root",
    "right_knee": "right_hip",
    "right_foot": "right_knee",
    "left_hip": "root",
    "left_knee": "left_hip",
    "left_foot": "left_knee",
}
"""The sixteen joints of AnimatedDrawings' humanoid, each with its parent. `neck` sits at the nose."""


@dataclass(frozen=True)
class CharacterSkeleton:
    """Joints of a drawn figure in its rest pose.

    names : J joint names, parents before children; the first is the root.
    parents : (J,) int64, index of the parent, -1 for the root.
    joints_px : (J, 2) float64, x (column), y (row, down) in texture pixels.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    joints_px: NDArray[np.float64]


@dataclass(frozen=True)
class Character:
    """A figure cut out of its drawing.

    texture : (H, W, 3) uint8 RGB, the crop of the drawing around the figure.
    mask : (H, W) bool, True on the figure.
    skeleton : joints in texture pixels.
    """

    texture: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    skeleton: CharacterSkeleton


def humanoid_skeleton(keypoints_px: dict[str, tuple[float, float]]) -> CharacterSkeleton:
    """Build the sixteen-joint rig from the thirteen keypoints of a pose.

    keypoints_px : nose, left_/right_ shoulder, elbow, hand, hip, knee, foot -> (x, y) in texture pixels.
    Trunk joints are derived as AnimatedDrawings does: root and hip between the hips, torso between the
    shoulders, neck at the nose.
    """
    points = {name: np.asarray(xy, dtype=np.float64) for name, xy in keypoints_px.items()}
    points["root"] = points["hip"] = (points["left_hip"] + points["right_hip"]) / 2
    points["torso"] = (points["left_shoulder"] + points["right_shoulder"]) / 2
    points["neck"] = points["nose"]
    names = tuple(HUMANOID_PARENTS)
    parents = [-1 if parent is None else names.index(parent) for parent in HUMANOID_PARENTS.values()]
    return CharacterSkeleton(names, np.array(parents, dtype=np.int64), np.stack([points[n] for n in names]))


def read_character(folder: Path, config_path: Path | None = None) -> Character:
    """Read a character folder, AnimatedDrawings' or our own.

    config_path : instead of the folder's `char_cfg.yaml`.
    Raises InputError when a file is missing or unreadable, the sizes disagree, or the skeleton is no tree.
    """
    config_path = config_path or folder / "char_cfg.yaml"
    texture = _read_image(folder / "texture.png", cv2.IMREAD_COLOR_RGB)
    mask = _read_image(folder / "mask.png", cv2.IMREAD_GRAYSCALE) > 127
    if mask.shape != texture.shape[:2]:
        raise InputError(
            f"{folder}: mask.png is {mask.shape[1]}x{mask.shape[0]}, texture.png "
            f"{texture.shape[1]}x{texture.shape[0]}; they must be the same size"
        )
    config = _read_config(config_path)
    height, width = texture.shape[:2]
    if (config.get("height"), config.get("width")) != (height, width):
        raise InputError(
            f"{config_path}: says {config.get('width')}x{config.get('height')}, "
            f"texture.png is {width}x{height}"
        )
    return Character(texture.astype(np.uint8), mask, _parse_skeleton(config.get("skeleton"), config_path))


def write_character(character: Character, folder: Path) -> None:
    """Write the three files of a character folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    # with an alpha channel, all opaque: AnimatedDrawings reads no other kind
    write_png(folder / "texture.png", cv2.cvtColor(character.texture, cv2.COLOR_RGB2BGRA))
    write_png(folder / "mask.png", character.mask.astype(np.uint8) * 255)
    skeleton = character.skeleton
    height, width = character.mask.shape
    # whole pixels within the picture: AnimatedDrawings indexes the mask with them
    locations = np.clip(np.rint(skeleton.joints_px), 0, [width - 1, height - 1]).astype(int).tolist()
    config = {
        "height": height,
        "width": width,
        "skeleton": [
            {"name": name, "loc": loc, "parent": None if parent < 0 else skeleton.names[parent]}
            for name, loc, parent in zip(skeleton.names, locations, skeleton.parents, strict=True)
        ],
    }
    (folder / "char_cfg.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def write_png(path: Path, image: cv2.typing.MatLike) -> None:
    """Write an image (OpenCV's channel order) as PNG.

    cv2.imwrite reports a full disk or a missing folder as False at best, so the file is written here.
    """
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _read_image(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path}: expected a PNG, cannot read it: {exc.strerror}") from exc
    # OpenCV would read a dozen formats more, and their decoders are many.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data.startswith(_PNG) else None
    if image is None:
        raise InputError(f"{path}: expected a PNG, its {len(data)} bytes are not a readable picture")
    return image.astype(np.uint8)


def _read_config(path: Path) -> dict[str, object]:
    config = load_yaml(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected keys height, width, skeleton; got {type(config).__name__}")
    return config


def _parse_skeleton(entries: object, path: Path) -> CharacterSkeleton:
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: skeleton must be a list of joints, got {type(entries).__name__}")
    joints = [_parse_joint(entry, path) for entry in entries]
    by_name = {name: (xy, parent) for name, xy, parent in joints}
    if len(by_name) != len(joints):
        raise InputError(f"{path}: two joints share a name")
    names = _depth_first({name: parent for name, _, parent in joints}, path)
    parents = [names.index(parent) if (parent := by_name[name][1]) else -1 for name in names]
    return CharacterSkeleton(
        names,
        np.array(parents, dtype=np.int64),
        np.array([by_name[name][0] for name in names], dtype=np.float64),
    )


def _parse_joint(entry: object, path: Path) -> tuple[str, tuple[float, float], str | None]:
    match entry:
        case {"name": str(name), "loc": [int() | float() as x, int() | float() as y], "parent": parent} if (
            parent is None or isinstance(parent, str)
        ):
            if not np.isfinite([x, y]).all():
                raise InputError(f"{path}: joint {name!r} lies at {x}, {y}; expected finite pixels")
            return name, (float(x), float(y)), parent
    raise InputError(f"{path}: a joint is {{name: text, loc: [x, y], parent: name or null}}, got {entry!r}")


def _depth_first(parent_of: dict[str, str | None], path: Path) -> tuple[str, ...]:
    """Order joints parents first, children in file order; refuse what is no single tree."""
    roots = [name for name, parent in parent_of.items() if parent is None]
    if len(roots) != 1:
        raise InputError(f"{path}: expected one joint without parent, got {len(roots)}: {roots}")
    ordered: list[str] = []
    pending: list[str] = [roots[0]]
    while pending:
        name = pending.pop()
        ordered.append(name)
        children: Sequence[str] = [child for child, parent in parent_of.items() if parent == name]
        pending.extend(reversed(children))
    if unreached := set(parent_of) - set(ordered):
        raise InputError(
            f"{path}: joints {sorted(unreached)} do not hang off {roots[0]!r}: unknown parent or circle"
        )
    return tuple(ordered)
