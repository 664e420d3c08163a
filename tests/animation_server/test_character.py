"""Character folders: AnimatedDrawings' layout, read and written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from animation_server.character import (
    HUMANOID_PARENTS,
    Character,
    humanoid_skeleton,
    read_character,
    write_character,
)
from animation_server.errors import InputError
from tests.figures import draw_figure
from tests.places import SHARED

UPSTREAM = SHARED / "animated_drawings" / "examples" / "characters"


def other_format() -> bytes:
    """A sound picture that is no PNG."""
    return cv2.imencode(".bmp", np.zeros((8, 8, 3), dtype=np.uint8))[1].tobytes()


@pytest.fixture(name="character")
def _character() -> Character:
    figure = draw_figure()
    return Character(figure.rgb, figure.mask, humanoid_skeleton(figure.keypoints))


def test_a_folder_reads_back_as_it_was_written(character: Character, tmp_path: Path) -> None:
    """Pixels, mask and skeleton survive the round trip; the example's joints are whole pixels."""
    write_character(character, tmp_path / "c")
    read = read_character(tmp_path / "c")
    np.testing.assert_array_equal(read.texture, character.texture)
    np.testing.assert_array_equal(read.mask, character.mask)
    np.testing.assert_array_equal(read.skeleton.joints_px, character.skeleton.joints_px)
    np.testing.assert_array_equal(read.skeleton.parents, character.skeleton.parents)
    assert read.skeleton.names == character.skeleton.names


def test_the_humanoid_has_the_trunk_between_its_sides(character: Character) -> None:
    """Root and hip lie between the hips, torso between the shoulders, neck at the nose."""
    at = dict(zip(character.skeleton.names, character.skeleton.joints_px.tolist(), strict=True))
    assert at["root"] == at["hip"] == [150, 220]
    assert at["torso"] == [150, 115]
    assert at["neck"] == [150, 60]
    assert character.skeleton.names[0] == "root"


def test_parents_stand_before_children_whatever_the_file_says(character: Character, tmp_path: Path) -> None:
    """A file may list joints in any order; the arrays never do."""
    write_character(character, tmp_path)
    path = tmp_path / "char_cfg.yaml"
    config = yaml.safe_load(path.read_text())
    config["skeleton"].reverse()
    path.write_text(yaml.safe_dump(config))
    skeleton = read_character(tmp_path).skeleton
    assert all(parent < joint for joint, parent in enumerate(skeleton.parents))
    named = {
        n: skeleton.names[p] if p >= 0 else None
        for n, p in zip(skeleton.names, skeleton.parents, strict=True)
    }
    assert named == HUMANOID_PARENTS


def test_the_texture_is_written_with_alpha(character: Character, tmp_path: Path) -> None:
    """AnimatedDrawings converts BGRA and fails on three channels."""
    write_character(character, tmp_path)
    written = cv2.imread(str(tmp_path / "texture.png"), cv2.IMREAD_UNCHANGED)
    assert written.shape[2] == 4
    assert (written[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d: (d / "mask.png").unlink(), "mask.png"),
        (lambda d: (d / "texture.png").write_bytes(b"no picture"), "not a readable picture"),
        (lambda d: (d / "texture.png").write_bytes(other_format()), "not a readable picture"),
        (lambda d: (d / "char_cfg.yaml").write_text("- 1"), "expected keys"),
        (lambda d: (d / "char_cfg.yaml").write_text("a: ["), "not readable as YAML"),
        (lambda d: cv2.imwrite(str(d / "mask.png"), np.zeros((5, 5), np.uint8)), "same size"),
        (lambda d: _edit(d, lambda c: c.update(height=3)), "says"),
        (lambda d: _edit(d, lambda c: c["skeleton"][3].update(parent="tail")), "unknown parent"),
        (lambda d: _edit(d, lambda c: c["skeleton"][3].update(parent=None)), "one joint without parent"),
        (lambda d: _edit(d, lambda c: c["skeleton"][3].update(name="root")), "share a name"),
        (lambda d: _edit(d, lambda c: c["skeleton"][3].update(loc=[1])), "a joint is"),
        (lambda d: _edit(d, lambda c: c.update(skeleton=[])), "list of joints"),
    ],
)
def test_a_spoilt_folder_is_refused_with_its_reason(
    character: Character, tmp_path: Path, spoil, says: str
) -> None:
    """Whatever is wrong with a folder is said, with the file's name, and is the caller's mistake."""
    write_character(character, tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=says):
        read_character(tmp_path)


@pytest.mark.skipif(
    not UPSTREAM.exists(), reason="needs AnimatedDrawings' example characters beside the checkout"
)
@pytest.mark.parametrize("name", ["char1", "char2", "char5", "char6"])
def test_upstream_characters_open_here(name: str, tmp_path: Path) -> None:
    """AnimatedDrawings' own folders open, six arms and four legs too, and survive a round trip."""
    theirs = read_character(UPSTREAM / name)
    write_character(theirs, tmp_path)
    original = yaml.safe_load((UPSTREAM / name / "char_cfg.yaml").read_text())
    rewritten = yaml.safe_load((tmp_path / "char_cfg.yaml").read_text())
    assert rewritten == original


def _edit(folder: Path, change) -> None:
    path = folder / "char_cfg.yaml"
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))
