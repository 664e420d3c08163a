"""The command bvh-tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from bvh_tools.authoring import build_clip
from bvh_tools.bvh import read_bvh, write_bvh
from bvh_tools.cli import main
from bvh_tools.kinematics import fk
from tests.bvh_clips import assert_same_clip

KEYS = """
duration: 2
keys:
  - {at: 0, root: [0, 92, 0]}
  - {at: 2, root: [30, 92, 60], turn: {Hips: [0, 40, 0]}}
"""


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    path = tmp_path / "in.bvh"
    write_bvh(build_clip(KEYS), path)
    return path


def test_trim_to_fewer_frames_keeps_the_duration(clip_path: Path, tmp_path: Path) -> None:
    """150 frames, or 15, last as long as the file they came from."""
    assert main(["trim", str(clip_path), str(tmp_path / "out.bvh"), "--frames", "15"]) == 0
    out = read_bvh(tmp_path / "out.bvh")
    assert out.n_frames == 15
    assert out.duration == pytest.approx(2.0)


def test_trim_takes_frames_and_seconds(clip_path: Path, tmp_path: Path) -> None:
    """0.5s is frame 15 of thirty a second; negative frames count from the end."""
    out = tmp_path / "out.bvh"
    assert main(["trim", str(clip_path), str(out), "--start", "0.5s", "--end", "-5"]) == 0
    assert read_bvh(out).n_frames == 40


def test_trim_takes_seconds_from_the_end(
    clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They need the equals sign, and the help says so."""
    out = tmp_path / "out.bvh"
    assert main(["trim", str(clip_path), str(out), "--start=-1s", "--end=-0.5s"]) == 0
    assert read_bvh(out).n_frames == 15
    monkeypatch.setenv("COLUMNS", "200")  # or argparse may break the line there
    with pytest.raises(SystemExit):
        main(["trim", "--help"])
    assert "--end=-1.5s" in capsys.readouterr().out


def test_info_speaks_to_people_and_programs(clip_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text by default, JSON on request."""
    assert main(["info", str(clip_path)]) == 0
    assert "60 at 30 fps, 2 s in all" in capsys.readouterr().out
    assert main(["info", str(clip_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_frames"] == 60


def test_build_loop_convert_preview_and_check(
    clip_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command does its work on files and says nothing of it."""
    keys, built, out = tmp_path / "k.yaml", tmp_path / "k.bvh", tmp_path / "out.bvh"
    keys.write_text(KEYS)
    assert main(["build", str(keys), str(built)]) == 0
    assert built.read_text() == clip_path.read_text()
    assert main(["loop", str(built), str(out), "--blend", "6", "--in-place"]) == 0
    assert read_bvh(out).n_frames == 54
    convert = ["convert", str(built), str(out), "--up", "z", "--scale", "0.01", "--fps", "60"]
    assert main([*convert, "--rename", "Hips=pelvis", "--order", "XYZ"]) == 0
    converted = read_bvh(out)
    assert converted.skeleton.names[0] == "pelvis"
    assert converted.n_frames == 120
    assert fk(converted)[0, 0].tolist() == pytest.approx([0.0, 0.0, 0.92])
    assert main(["preview", str(built), str(tmp_path / "p.png"), "--count", "6", "--size", "50"]) == 0
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (300, 50)
    assert main(["preview", str(built), str(tmp_path / "p.gif"), "--size", "50", "--view", "side"]) == 0
    with Image.open(tmp_path / "p.gif") as picture:
        assert picture.format == "GIF"
    assert capsys.readouterr().out == ""
    assert main(["check", str(built)]) == 0
    assert "note: scale" in capsys.readouterr().out


def test_the_input_is_not_overwritten_unless_forced(
    clip_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Writing onto the input, under whatever name, needs --force."""
    before = clip_path.read_text()
    alias = clip_path.parent / "alias.bvh"
    alias.symlink_to(clip_path)
    for target in (clip_path, alias):
        assert main(["trim", str(clip_path), str(target), "--frames", "5"]) == 3
        assert "--force overwrites the input" in capsys.readouterr().err
    assert clip_path.read_text() == before
    assert main(["trim", str(clip_path), str(clip_path), "--frames", "5", "--force"]) == 0
    assert read_bvh(clip_path).n_frames == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere.bvh"], "nowhere.bvh: No such file or directory"),
        (["info", "bad.bvh"], "bad.bvh:1: expected HIERARCHY"),
        (["check", "bad.bvh"], "bad.bvh:1: expected HIERARCHY"),
        (["build", "bad.bvh", "o.bvh"], "bad.bvh: expected a mapping"),
        (["build", "binary.yaml", "o.bvh"], "binary.yaml: expected UTF-8"),
        (["trim", "in.bvh", "o.bvh", "--start", "soon"], "expected a frame such as 120"),
        (["trim", "in.bvh", "o.bvh", "--start", "70"], "expected start within the clip's 60 frames, got 70"),
        (["trim", "in.bvh", "none/o.bvh"], "expected a folder that exists, got none"),
        (["preview", "in.bvh", "o.mp4"], "expected an output that ends in .gif or .png"),
        (["convert", "in.bvh", "o.bvh", "--rename", "Hips"], "expected a new name as OLD=NEW"),
        (["loop", "in.bvh", "o.bvh", "--blend", "99"], "expected a blend of 1 to 30 frames"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_3(
    arguments: list[str],
    message: str,
    clip_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line says what was expected and what came; nothing is written."""
    monkeypatch.chdir(clip_path.parent)
    Path("bad.bvh").write_text("not a clip")
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    files = sorted(Path().iterdir())
    assert main(arguments) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("bvh-tools: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(Path().iterdir()) == files


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["trim", "a.bvh"], ["trim", "a", "b", "--frames", "x"], ["loop", "a", "b", "--up", "w"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    """As argparse has it."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_check_fails_on_warnings_when_strict(clip_path: Path) -> None:
    """A flip passes by default and fails with --strict."""
    text = clip_path.read_text().splitlines()
    row = text[-30].split()
    row[3] = "175"
    clip_path.write_text("\n".join([*text[:-30], " ".join(row), *text[-29:]]) + "\n")
    assert main(["check", str(clip_path)]) == 0
    assert main(["check", str(clip_path), "--strict"]) == 3


def test_a_failed_write_leaves_the_old_file(clip_path: Path, tmp_path: Path) -> None:
    """A clip that cannot be written leaves what was there before."""
    out = tmp_path / "out.bvh"
    out.write_text("older")
    assert main(["trim", str(clip_path), str(out), "--frames", "0"]) == 3
    assert out.read_text() == "older"
    assert_same_clip(read_bvh(clip_path), build_clip(KEYS))
