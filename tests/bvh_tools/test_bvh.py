"""Reading and writing BVH."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bvh_tools import quaternion as quat
from bvh_tools.bvh import MAX_BYTES, read_bvh, write_bvh
from bvh_tools.bvh_parser import parse_bvh
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.clip import Clip
from bvh_tools.errors import BvhError
from bvh_tools.kinematics import end_site_positions, fk
from tests.bvh_clips import assert_same_clip, clips, random_clip

SMALL = """HIERARCHY
ROOT Hips
{
\tOFFSET 0 0 0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tJOINT mixamo:Left Arm
\t{
\t\tOFFSET 0 10 0
\t\tCHANNELS 3 Yrotation Zrotation Xrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0 5 0
\t\t}
\t}
\tJOINT Tail
\t{
\t\tOFFSET 0 0 -3
\t\tCHANNELS 6 Zrotation Yrotation Xrotation Zposition Yposition Xposition
\t}
}
MOTION
Frames: 2
Frame Time: 0.04
1 2 3 90 0 0 0 0 0 0 0 0 -3 0 0
1 2 3 0 0 0 0 90 0 0 0 0 7 8 9
"""


def test_a_small_file_reads_as_written() -> None:
    """Names with spaces and colons, channel orders, positions of the root and others, missing End Sites."""
    clip = parse_bvh(SMALL)
    assert clip.skeleton.names == ("Hips", "mixamo:Left Arm", "Tail")
    assert clip.skeleton.parents.tolist() == [-1, 0, 0]
    assert clip.skeleton.end_sites == {1: (0.0, 5.0, 0.0)}
    assert (clip.n_frames, clip.frame_time, clip.duration) == (2, 0.04, 0.08)
    positions = fk(clip)
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [-9, 2, 3], [1, 2, 0]], atol=1e-12)
    np.testing.assert_allclose(positions[1], [[1, 2, 3], [1, 12, 3], [10, 10, 10]], atol=1e-12)
    np.testing.assert_allclose(end_site_positions(clip)[1], [[-14, 2, 3], [-4, 12, 3]], atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\r"),
        SMALL.replace("\t", "    "),
        "\ufeff" + SMALL,
        SMALL.replace("Frame Time: 0.04", "Frame Time:\t4e-2"),
        SMALL.replace("Frame Time: 0.04", "frame time : .04").replace("Frames:", "FRAMES :"),
        SMALL.replace("1 2 3 90 0 0", "1.0e0 2. +3 9E1 0 -0"),
        SMALL.replace("ROOT Hips\n{", "ROOT Hips {").replace("Arm\n\t{", "Arm {"),
        SMALL.replace("ROOT Hips\n{", "ROOT Hips{").replace("Arm\n\t{", "Arm{"),
        SMALL.replace("HIERARCHY", "hierarchy").replace("CHANNELS", "Channels").replace("Zrot", "zRot"),
        SMALL.replace("\n", "\n\n"),
        SMALL.rstrip("\n"),
        SMALL + "\n \n",
    ],
)
def test_ways_of_writing_the_same(text: str) -> None:
    """Line ends, tabs, byte order marks, cases, spaces, number forms and brace styles make no difference."""
    assert_same_clip(parse_bvh(text), parse_bvh(SMALL))


@given(clip=clips())
def test_what_is_formatted_parses_to_the_same(clip: Clip) -> None:
    """Any clip survives writing and reading, and what is read is written as it was."""
    text = format_bvh(clip)
    assert_same_clip(parse_bvh(text), clip)
    assert format_bvh(parse_bvh(text)) == text or _near(parse_bvh(format_bvh(parse_bvh(text))), clip)


def _near(a: Clip, b: Clip) -> bool:
    assert_same_clip(a, b, atol=2e-6)  # the last digit may round the other way
    return True


def test_files_are_written_at_once(tmp_path: Path) -> None:
    """The written file reads back, takes the place of an older one, and leaves nothing else in the folder."""
    clip = random_clip(np.random.default_rng(1))
    path = tmp_path / "a.bvh"
    path.write_text("older")
    write_bvh(clip, path)
    assert_same_clip(read_bvh(path), clip)
    assert [p.name for p in tmp_path.iterdir()] == ["a.bvh"]


def test_frames_that_hold_no_numbers_are_bounded() -> None:
    """Joints need no channels, so a few lines could stand for any number of frames."""
    text = "HIERARCHY\nROOT A\n{\nOFFSET 0 0 0\nCHANNELS 0\n}\nMOTION\nFrames: %d\nFrame Time: 0.1\n"
    assert parse_bvh(text % 3).n_frames == 3
    with pytest.raises(BvhError, match="at most 10000000 frames times joints"):
        parse_bvh(text % 4_000_000_000)


def test_files_too_large_are_refused(tmp_path: Path) -> None:
    """Before anything of them is parsed."""
    path = tmp_path / "a.bvh"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # no disk is filled
    with pytest.raises(BvhError, match=r"a\.bvh: expected at most 100000000 bytes"):
        read_bvh(path)


def test_names_in_an_old_encoding_are_read(tmp_path: Path) -> None:
    """A name that is not UTF-8 does not stop the file from being read."""
    path = tmp_path / "a.bvh"
    path.write_bytes(SMALL.replace("Tail", "Fuß").encode("latin-1"))
    assert read_bvh(path).skeleton.names[2] == "Fuß"


@pytest.mark.parametrize("encoding", ["shift_jis", "gbk", "big5", "cp932"])
@pytest.mark.parametrize("name", ["ボーン", "ボ", "エ右腿"])
def test_bytes_of_old_encodings_are_no_braces_and_no_line_ends(
    tmp_path: Path, encoding: str, name: str
) -> None:
    """The second byte of a Japanese or Chinese letter can look like either."""
    path = tmp_path / "a.bvh"
    encoded = name.encode(encoding, errors="replace")
    path.write_bytes(SMALL.encode().replace(b"Tail", encoded))
    assert read_bvh(path).skeleton.names[2] == encoded.decode("latin-1")


def test_a_c1_control_in_a_name_is_no_line_end(tmp_path: Path) -> None:
    """Byte 0x85 is an ellipsis on Windows and a line end in Unicode."""
    path = tmp_path / "a.bvh"
    path.write_bytes(SMALL.encode().replace(b"Tail", b"arm\x85L"))
    assert read_bvh(path).skeleton.names[2] == "arm\x85L"


@given(name=st.one_of(st.text(max_size=6), st.text("a {}\t\r\n\x0b\x85\u2028\ud800", max_size=6)))
@example(name="a\nb")
@example(name="a }{ b")
@example(name="\udc83")
def test_names_read_back_or_are_not_written(name: str) -> None:
    """No file is written that says another name than was asked for, or none that can be read."""
    clip = parse_bvh(SMALL)
    renamed = replace(clip, skeleton=replace(clip.skeleton, names=("Hips", "Arm", name)))
    try:
        text = format_bvh(renamed)
    except BvhError:
        return
    assert parse_bvh(text.encode().decode()).skeleton.names == ("Hips", "Arm", name)


@pytest.mark.parametrize("name", ["a{b", "}", "Left  Arm", "\x83{\x81[", "a\x85b", ""])
def test_only_names_that_no_file_can_hold_are_refused(name: str) -> None:
    """Blanks between words are fine, and halves of letters that look like braces."""
    clip = parse_bvh(SMALL)
    renamed = replace(clip, skeleton=replace(clip.skeleton, names=("Hips", "Arm", name)))
    if name not in ("a{b", "}", ""):
        assert_same_clip(parse_bvh(format_bvh(renamed)), renamed)
    else:
        with pytest.raises(BvhError, match="expected a joint name without line breaks"):
            format_bvh(renamed)


@pytest.mark.parametrize("seconds", [1e-310, 1e-10, 1e10, 1e300])
def test_frame_times_beyond_all_clocks_are_neither_read_nor_written(seconds: float) -> None:
    """Sums and rates of them would not be finite."""
    with pytest.raises(BvhError, match="expected a Frame Time above 0 seconds"):
        parse_bvh(SMALL.replace("0.04", repr(seconds)))
    with pytest.raises(BvhError, match="a frame time above 0 seconds"):
        format_bvh(replace(parse_bvh(SMALL), frame_time=seconds))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "GIF89a", r"x\.bvh:1: expected HIERARCHY, as a BVH file begins, got 'GIF89a'"),
        ("ROOT Hips", "ROOT", r"x\.bvh:2: expected ROOT and a joint name, got 'ROOT'"),
        (
            "OFFSET 0 10 0",
            "OFFSET 0 10",
            r"x\.bvh:8: expected OFFSET and three numbers for 'mixamo:",
        ),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", r"x\.bvh:8: expected a number for the OFFSET .*, got 'ten'"),
        ("OFFSET 0 10 0", "OFFSET 0 inf 0", r"x\.bvh:8: expected a finite number .*, got 'inf'"),
        ("CHANNELS 3", "CHANNELS 4", r"x\.bvh:9: expected 4 channel names .*, found 3"),
        ("CHANNELS 3 Y", "CHANNELS 3 W", r"x\.bvh:9: expected a channel out of Xposition.*, got 'Wrotation'"),
        ("3 Yrotation Z", "3 Zrotation Z", r"x\.bvh:9: expected each channel of 'mixamo:Left Arm' once"),
        ("JOINT Tail", "JOINT Hips", r"x\.bvh:15: expected every joint name once; .*, got 'Hips'"),
        (
            "JOINT Tail",
            "BONE Tail",
            r"x\.bvh:15: expected JOINT, End Site or } to close 'Hips', got",
        ),
        ("}\nMOTION", "}\nROOT Other\nMOTION", r"x\.bvh:21: expected one ROOT; .*, got 'ROOT Other'"),
        ("MOTION\n", "", r"x\.bvh:21: expected MOTION, got 'Frames: 2'"),
        ("Frames: 2", "Frames: two", r"x\.bvh:22: expected Frames: and a whole number.*, got 'Frames: two'"),
        ("Frames: 2", "Frames: 0", r"x\.bvh:22: expected Frames: and a whole number of at least 1"),
        ("Frames: 2", "Frames: 3", r"x\.bvh:25: expected 3 frames, as Frames: says, got 2"),
        ("Frames: 2", "Frames: 1", r"x\.bvh:25: expected 1 frames, as Frames: says, got 2"),
        ("Frames: 2", "Frames: 99999999999999", r"x\.bvh:22: expected at most 10000000 frames times joints"),
        ("Frames: 2", f"Frames: {'9' * 5000}", r"x\.bvh:22: expected Frames: and a whole number"),
        ("CHANNELS 3", f"CHANNELS {'9' * 5000}", r"x\.bvh:9: expected CHANNELS, how many"),
        ("0.04", "0", r"x\.bvh:23: expected a Frame Time above 0 seconds"),
        ("0.04", "-0.04", r"x\.bvh:23: expected a Frame Time above 0 seconds"),
        ("0.04", "nan", r"x\.bvh:23: expected a finite number for Frame Time, got 'nan'"),
        ("7 8 9", "7 8", r"x\.bvh:25: expected 15 numbers, one for each channel, got '14 numbers'"),
        ("7 8 9", "7 8 9 9", r"x\.bvh:25: expected 15 numbers, one for each channel, got '16 numbers'"),
        ("7 8 9", "7 8 NaN", r"x\.bvh:25: expected a finite number for frame 2, got 'NaN'"),
        ("7 8 9", "7 8 1e999", r"x\.bvh:25: expected a finite number for frame 2, got '1e999'"),
        ("7 8 9", "7 8 9,5", r"x\.bvh:25: expected a number for frame 2, got '9,5'"),
        ("7 8 9", "7 8 1_0", r"x\.bvh:25: expected a finite number for frame 2, got '1_0'"),
    ],
)
def test_malformed_files_are_refused_with_line_expectation_and_find(old: str, new: str, message: str) -> None:
    """The error names the line, what should have been there and what was."""
    assert old in SMALL
    with pytest.raises(BvhError, match=message):
        parse_bvh(SMALL.replace(old, new, 1), source="x.bvh")


@given(cut=st.integers(0, len(SMALL) - 20))
def test_files_cut_short_are_refused(cut: int) -> None:
    """No beginning of a file passes for the whole."""
    with pytest.raises(BvhError):
        parse_bvh(SMALL[:cut])


@given(text=st.text(max_size=200))
@example(text="HIERARCHY\nROOT a {\n" + "JOINT b {" * 3)
@example(text="\0")
def test_any_text_parses_or_is_refused(text: str) -> None:
    """Nothing but BvhError comes out of text that is no BVH."""
    with pytest.raises(BvhError):
        parse_bvh(text)


@given(
    at=st.integers(0, len(SMALL) - 1),
    junk=st.text(st.sampled_from("{}\n :-.09eE\tAZnif"), min_size=0, max_size=6),
    length=st.integers(0, 8),
)
def test_damaged_files_parse_or_are_refused(at: int, junk: str, length: int) -> None:
    """A file with a hole or junk in it either still says something finite or is refused."""
    try:
        clip = parse_bvh(SMALL[:at] + junk + SMALL[at + length :])
    except BvhError:
        return
    assert np.isfinite(clip.translations).all()
    np.testing.assert_allclose(np.linalg.norm(clip.rotations, axis=-1), 1.0)


def test_deep_skeletons_are_read() -> None:
    """A chain of joints deeper than Python's stack."""
    depth = 3000
    joint = "OFFSET 0 1 0\nCHANNELS 0\n"
    text = "HIERARCHY\nROOT j\n{\n" + joint
    text += "".join(f"JOINT j{i}\n{{\n{joint}" for i in range(depth)) + "}\n" * (depth + 1)
    clip = parse_bvh(text + "MOTION\nFrames: 1\nFrame Time: 1\n\n")
    assert fk(clip)[0, -1].tolist() == [0.0, depth + 1.0, 0.0]
    assert_same_clip(parse_bvh(format_bvh(clip)), clip)


def test_motion_that_the_channels_cannot_say_is_not_written() -> None:
    """A joint that leaves its offset, or turns about an axis without a channel, is named."""
    clip = parse_bvh(SMALL)
    moved = clip.translations.copy()
    moved[1, 1, 0] += 1.0
    with pytest.raises(BvhError, match="'mixamo:Left Arm' moves away from its offset"):
        format_bvh(Clip(clip.skeleton, moved, clip.rotations, clip.frame_time))
    flat = parse_bvh(
        SMALL.replace("3 Yrotation Zrotation Xrotation", "2 Yrotation Zrotation")
        .replace("0 0 0 0 0 0 0 -3", "0 0 0 0 0 0 -3")
        .replace("0 0 0 0 90 0 0", "0 0 0 0 90 0")
    )
    assert_same_clip(parse_bvh(format_bvh(flat)), flat)
    turned = quat.mul(flat.rotations, quat.from_euler([0.0, 0.0, 20.0], "YZX"))
    with pytest.raises(BvhError, match="turns about an axis"):
        format_bvh(Clip(flat.skeleton, flat.translations, turned, flat.frame_time))
