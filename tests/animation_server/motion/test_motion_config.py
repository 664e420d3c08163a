"""Motion and retarget configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from animation_server.errors import InputError
from animation_server.motion.config import load_motion_config, load_retarget_config
from animation_server.motion.library import LIBRARY
from tests.places import SHARED

PEER_CONFIGS = SHARED / "animated_drawings" / "examples" / "config"


def motion(**changes: Any) -> dict[str, Any]:
    values = {
        "filepath": "walk.bvh",
        "start_frame_idx": 0,
        "end_frame_idx": None,
        "groundplane_joint": "LeftFoot",
        "forward_perp_joint_vectors": [["LeftArm", "RightArm"]],
        "scale": 0.02,
        "up": "+z",
        **changes,
    }
    return {key: value for key, value in values.items() if value != "absent"}


def retarget(**changes: Any) -> dict[str, Any]:
    values = {
        "char_starting_location": [0.0, 1, -0.5],
        "bvh_projection_bodypart_groups": [
            {"name": "All", "method": "pca", "bvh_joint_names": ["Hips", "Knee", "Foot"]}
        ],
        "char_bodypart_groups": [{"bvh_depth_drivers": ["Foot"], "char_joints": ["knee", "foot"]}],
        "char_bvh_root_offset": {
            "bvh_projection_bodypart_group_for_offset": "All",
            "bvh_joints": [["Hips", "Knee"]],
            "char_joints": [["root", "knee"]],
        },
        "char_joint_bvh_joints_mapping": {"knee": ["Hips", "Knee"]},
        "char_runtime_checks": [["above", "root", "knee", "foot"]],
        **changes,
    }
    return {key: value for key, value in values.items() if value != "absent"}


def write(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values))
    return path


def test_bvh_is_found_from_the_folders_above_the_configuration(tmp_path: Path) -> None:
    """AnimatedDrawings writes paths relative to its own root folder."""
    (tmp_path / "examples" / "bvh").mkdir(parents=True)
    bvh = tmp_path / "examples" / "bvh" / "walk.bvh"
    bvh.touch()
    path = write(
        tmp_path / "examples" / "config" / "motion" / "walk.yaml", motion(filepath="examples/bvh/walk.bvh")
    )
    assert load_motion_config(path).filepath.samefile(bvh)


def test_bvh_is_found_in_given_folders_the_current_one_and_by_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order, after the configuration's own folders."""
    path = write(tmp_path / "configs" / "walk.yaml", motion())
    for folder in ("base", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "walk.bvh").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert load_motion_config(path).filepath.samefile(tmp_path / "here" / "walk.bvh")
    assert load_motion_config(path, [tmp_path / "base"]).filepath.samefile(tmp_path / "base" / "walk.bvh")
    absolute = write(path, motion(filepath=str(tmp_path / "base" / "walk.bvh")))
    assert load_motion_config(absolute).filepath == tmp_path / "base" / "walk.bvh"


def test_missing_bvh_names_the_folders_that_were_searched(tmp_path: Path) -> None:
    """Its code tells programs that a file is missing."""
    path = write(tmp_path / "walk.yaml", motion())
    with pytest.raises(InputError, match=rf"filepath.*no walk\.bvh.*{tmp_path / 'base'}") as caught:
        load_motion_config(path, [tmp_path / "base"])
    assert caught.value.code == "unreadable_file"


def test_our_own_keys_are_read(tmp_path: Path) -> None:
    """`loops`, and `retarget` relative to the file."""
    (tmp_path / "walk.bvh").touch()
    config = load_motion_config(write(tmp_path / "walk.yaml", motion(loops=True, retarget="side.yaml")))
    assert config.loops
    assert config.retarget == tmp_path / "side.yaml"
    assert load_motion_config(write(tmp_path / "walk.yaml", motion())).retarget is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scael": 1.0}, "scael: unknown key"),
        ({"scale": "absent"}, "scale: expected this key, it is missing"),
        ({"scale": "0.02"}, "scale: .*valid number, got '0.02'"),
        ({"scale": 0.0}, "scale: .*greater than 0, got 0.0"),
        ({"scale": float("nan")}, "scale: .*finite"),
        ({"up": "z"}, r"up: .*'\+z'.*got 'z'"),
        ({"start_frame_idx": -1}, "start_frame_idx: .*got -1"),
        ({"start_frame_idx": 1.5}, "start_frame_idx: .*integer, got 1.5"),
        ({"start_frame_idx": True}, "start_frame_idx: .*integer, got True"),
        ({"start_frame_idx": 5, "end_frame_idx": 5}, "end_frame_idx: .*start_frame_idx, 5; got 5"),
        ({"groundplane_joint": 3}, "groundplane_joint: .*string, got 3"),
        ({"forward_perp_joint_vectors": []}, "forward_perp_joint_vectors: .*at least 1"),
        ({"forward_perp_joint_vectors": [["A"]]}, r"forward_perp_joint_vectors\[0\]\[1\]: .*missing"),
        ({"forward_perp_joint_vectors": [["A", "A"]]}, r"forward_perp_joint_vectors\[0\]: .*A twice"),
        ({"loops": "yes, please"}, "loops: .*boolean"),
    ],
)
def test_mistakes_in_a_motion_are_named_by_key(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """What was expected, and what came."""
    (tmp_path / "walk.bvh").touch()
    with pytest.raises(InputError, match=message) as caught:
        load_motion_config(write(tmp_path / "walk.yaml", motion(**changes)))
    assert caught.value.code == "bad_config"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"char_startig_location": 1}, "char_startig_location: unknown key"),
        ({"char_starting_location": [0, 0]}, r"char_starting_location\[2\]: .*missing"),
        ({"bvh_projection_bodypart_groups": []}, "bvh_projection_bodypart_groups: .*at least 1"),
        (
            {
                "bvh_projection_bodypart_groups": [
                    {"name": "All", "method": "front", "bvh_joint_names": ["Hips", "Knee", "Foot"]}
                ]
            },
            r"bvh_projection_bodypart_groups\[0\].method: .*'frontal', 'sagittal' or 'pca', got 'front'",
        ),
        (
            {"char_bodypart_groups": [{"bvh_depth_drivers": ["Toe"], "char_joints": ["foot"]}]},
            r"char_bodypart_groups\[0\].bvh_depth_drivers: 'Toe' is in none",
        ),
        ({"char_joint_bvh_joints_mapping": {"foot": ["Foot", "Toe"]}}, "mapping.foot: 'Toe' is in none"),
        ({"char_joint_bvh_joints_mapping": {"foot": ["Foot"]}}, r"mapping.foot\[1\]: .*missing"),
        (
            {
                "char_bvh_root_offset": {
                    "bvh_projection_bodypart_group_for_offset": "Legs",
                    "bvh_joints": [["Hips", "Knee"]],
                    "char_joints": [["root", "knee"]],
                }
            },
            "group_for_offset: expected one of All, got 'Legs'",
        ),
        ({"char_runtime_checks": [["below", "a", "b", "c"]]}, r"char_runtime_checks\[0\]\[0\]: .*'above'"),
    ],
)
def test_mistakes_in_a_retargeting_are_named_by_key(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """What was expected, and what came; names that lead nowhere are mistakes too."""
    assert load_retarget_config(write(tmp_path / "good.yaml", retarget())).depth_drivers == ("Foot",)
    with pytest.raises(InputError, match=message) as caught:
        load_retarget_config(write(tmp_path / "bad.yaml", retarget(**changes)))
    assert caught.value.code == "bad_config"


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_a_configuration_is_a_mapping(values: Any, tmp_path: Path) -> None:
    """Anything else is refused before its keys are looked at."""
    with pytest.raises(InputError, match="expected keys and values"):
        load_retarget_config(write(tmp_path / "odd.yaml", values))


def test_many_mistakes_are_told_in_one_message(tmp_path: Path) -> None:
    """The first five, and how many more."""
    with pytest.raises(InputError, match="and 3 more"):
        load_motion_config(write(tmp_path / "odd.yaml", {"a": 1, "b": 2, "c": 3}))


@pytest.mark.skipif(
    not PEER_CONFIGS.is_dir(), reason="needs AnimatedDrawings' configurations beside the checkout"
)
def test_animated_drawings_files_load_unchanged() -> None:
    """Every motion and every retarget configuration."""
    motions = [load_motion_config(path) for path in sorted((PEER_CONFIGS / "motion").glob("*.yaml"))]
    assert len(motions) >= 6
    assert all(config.filepath.is_file() for config in motions)
    retargets = [load_retarget_config(path) for path in sorted((PEER_CONFIGS / "retarget").glob("*.yaml"))]
    assert len(retargets) >= 8
    assert all(
        isinstance(pair, tuple) for r in retargets for pair in r.char_joint_bvh_joints_mapping.values()
    )


def test_bundled_configurations_load() -> None:
    """Each motion names a retarget configuration that exists."""
    for bvh in sorted(LIBRARY.glob("*.bvh")):
        config = load_motion_config(bvh.with_suffix(".yaml"))
        assert config.filepath.samefile(bvh)
        assert config.retarget is not None
        load_retarget_config(config.retarget)
