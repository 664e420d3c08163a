"""AnimatedDrawings' motion and retarget configurations: their fields, and reading them from YAML.

Fields are named as in the files. A motion says which BVH frames to use and how its skeleton stands; a
retarget configuration says how that skeleton drives the joints of a drawn character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict, TypeAdapter

from animation_server.errors import InputError
from animation_server.files.config_file import find_file, read_config

Up = Literal["+x", "-x", "+y", "-y", "+z", "-z"]
ProjectionMethod = Literal["frontal", "sagittal", "pca"]

_Name = Annotated[str, Field(min_length=1)]
_Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Frame = Annotated[int, Strict(), Field(ge=0)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1)]
_Limbs = Annotated[tuple[Annotated[tuple[_Name, ...], Field(min_length=2)], ...], Field(min_length=1)]
_NO_EXTRAS = ConfigDict(extra="forbid")


def _distinct(pair: tuple[str, str]) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise ValueError(f"expected two different joints, got {pair[0]} twice")
    return pair


_JointPair = Annotated[tuple[_Name, _Name], AfterValidator(_distinct)]


@dataclass(frozen=True)
class MotionConfig:
    """Which part of a BVH file to use, and how its skeleton stands.

    filepath : the BVH file.
    start_frame_idx, end_frame_idx : frames used, the end excluded; None is the end of the file.
    groundplane_joint : the joint that stands on the ground in the first frame.
    forward_perp_joint_vectors : pairs of joints; the figure faces at right angles to the mean of their
        directions, seen from above. Each leads from the figure's left to its right.
    scale : factor on the file's lengths.
    up : the axis of the file that points up.
    loops : the last frame leads back into the first. Our addition; AnimatedDrawings has no such key.
    retarget : the retarget configuration the motion is made for, beside the file; None when it names none.
        Our addition too.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _NO_EXTRAS

    filepath: Path
    groundplane_joint: _Name
    forward_perp_joint_vectors: Annotated[tuple[_JointPair, ...], Field(min_length=1)]
    scale: Annotated[_Number, Field(gt=0.0)]
    up: Up
    start_frame_idx: _Frame = 0
    end_frame_idx: _Frame | None = None
    loops: Annotated[bool, Strict()] = False
    retarget: Path | None = None


@dataclass(frozen=True)
class ProjectionGroup:
    """BVH joints that are seen from one side.

    method : "frontal" looks at the figure's front, "sagittal" at its side, "pca" at whichever of the two
        shows more of these joints' movement.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _NO_EXTRAS

    name: _Name
    bvh_joint_names: _Names
    method: ProjectionMethod


@dataclass(frozen=True)
class BodypartGroup:
    """Character joints whose body parts are drawn together, as far back as the BVH joints lie on average."""

    __pydantic_config__: ClassVar[ConfigDict] = _NO_EXTRAS

    bvh_depth_drivers: _Names
    char_joints: _Names


@dataclass(frozen=True)
class RootOffset:
    """How the root's path is scaled and projected.

    bvh_projection_bodypart_group_for_offset : name of the projection group whose view the path is seen in.
    bvh_joints, char_joints : limbs, each a chain of joints; the path is scaled by the ratio of the summed
        lengths, character to BVH.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _NO_EXTRAS

    bvh_projection_bodypart_group_for_offset: _Name
    bvh_joints: _Limbs
    char_joints: _Limbs


@dataclass(frozen=True)
class RetargetConfig:
    """How a BVH skeleton drives the joints of a drawn character.

    char_starting_location : x, y, z of the root in the first frame, world units.
    char_joint_bvh_joints_mapping : character joint -> two BVH joints; the bone that ends in the character
        joint takes the direction from the first to the second.
    char_runtime_checks : ("above", joint, a, b): when the joint does not lie above the line from a to b
        in the drawing, its mapping is left out.
    depth_dead_band : our addition, see `depth_order.settle`; 0, the default, does as AnimatedDrawings does.
    root_turns_true : our addition, see `projection.root_path`. AnimatedDrawings moves a frontal figure the
        wrong way while it is turned aside; False, the default, does as AnimatedDrawings does.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _NO_EXTRAS

    char_starting_location: tuple[_Number, _Number, _Number]
    bvh_projection_bodypart_groups: Annotated[tuple[ProjectionGroup, ...], Field(min_length=1)]
    char_bodypart_groups: Annotated[tuple[BodypartGroup, ...], Field(min_length=1)]
    char_bvh_root_offset: RootOffset
    char_joint_bvh_joints_mapping: Annotated[dict[_Name, _JointPair], Field(min_length=1)]
    char_runtime_checks: tuple[tuple[Literal["above"], _Name, _Name, _Name], ...] = ()
    depth_dead_band: Annotated[_Number, Field(ge=0.0, le=1.0)] = 0.0
    root_turns_true: Annotated[bool, Strict()] = False

    def projection_group_of(self) -> dict[str, int]:
        """BVH joint name -> index of the projection group it is in."""
        groups = enumerate(self.bvh_projection_bodypart_groups)
        return {joint: index for index, group in groups for joint in group.bvh_joint_names}

    @property
    def depth_drivers(self) -> tuple[str, ...]:
        """The BVH joints whose depth counts, each once, sorted by name."""
        return tuple(sorted({d for group in self.char_bodypart_groups for d in group.bvh_depth_drivers}))


_MOTION = TypeAdapter(MotionConfig)
_RETARGET = TypeAdapter(RetargetConfig)


def load_motion_config(path: Path, base_dirs: Sequence[Path] = ()) -> MotionConfig:
    """Read a motion configuration.

    A relative `filepath` is looked for as `find_file` does.
    Raises InputError when the file is unreadable, a key is unknown, missing or of a wrong type, or the BVH
    file is not there.
    """
    config = read_config(_MOTION, path)
    end = config.end_frame_idx
    if end is not None and end <= config.start_frame_idx:
        raise InputError(
            f"{path}: end_frame_idx: want more than start_frame_idx, {config.start_frame_idx}; got {end}",
            code="bad_config",
        )
    retarget = None if config.retarget is None else path.parent / config.retarget
    return replace(
        config, filepath=find_file(config.filepath, path, "filepath", base_dirs), retarget=retarget
    )


def load_retarget_config(path: Path) -> RetargetConfig:
    """Read a retarget configuration.

    Raises InputError when the file is unreadable, a key is unknown, missing or of a wrong type, or a BVH
    joint or group that it names belongs to no projection group.
    """
    config = read_config(_RETARGET, path)
    for problem in _loose_ends(config):
        raise InputError(f"{path}: {problem}", code="bad_config")
    return config


def _loose_ends(config: RetargetConfig) -> Iterator[str]:
    grouped = config.projection_group_of()
    asked = config.char_bvh_root_offset.bvh_projection_bodypart_group_for_offset
    names = [group.name for group in config.bvh_projection_bodypart_groups]
    if asked not in names:
        yield (
            "char_bvh_root_offset.bvh_projection_bodypart_group_for_offset: expected one of "
            f"{', '.join(names)}, got {asked!r}"
        )
    for joint, (_, end) in config.char_joint_bvh_joints_mapping.items():
        if end not in grouped:
            yield (
                f"char_joint_bvh_joints_mapping.{joint}: {end!r} is in none of the "
                "bvh_projection_bodypart_groups; add it to one"
            )
    for index, group in enumerate(config.char_bodypart_groups):
        for driver in group.bvh_depth_drivers:
            if driver not in grouped:
                yield (
                    f"char_bodypart_groups[{index}].bvh_depth_drivers: {driver!r} is in none of the "
                    "bvh_projection_bodypart_groups; add it to one"
                )
