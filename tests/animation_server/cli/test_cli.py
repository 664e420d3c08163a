"""The command line: what it writes, what it says, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animation_server.annotate import annotate
from animation_server.character import read_character, write_character
from animation_server.cli import main
from animation_server.drawing import Drawing
from animation_server.motion.library import LIBRARY
from tests.drawings import BLANK, DRAWING
from tests.fake_torchserve import FakeTorchServe, fake_torchserve
from tests.fakes import FigureClient
from tests.figures import draw_figure
from tests.places import SHARED


@pytest.fixture(autouse=True)
def torchserve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeTorchServe]:
    """Settings of our own: a stand-in for the models, and storage in a directory that goes away."""
    for name in [name for name in os.environ if name.startswith("ANIMATION_")]:
        monkeypatch.delenv(name)
    with fake_torchserve(FigureClient()) as fake:
        monkeypatch.setenv("ANIMATION_INFERENCE", "torchserve")
        monkeypatch.setenv("ANIMATION_TORCHSERVE_URL", fake.url)
        monkeypatch.setenv("ANIMATION_LOCAL_DIR", str(tmp_path / "objects"))
        yield fake


@pytest.fixture
def drawing(tmp_path: Path) -> str:
    (tmp_path / "drawing.png").write_bytes(DRAWING)
    return str(tmp_path / "drawing.png")


@pytest.fixture
def character(tmp_path: Path) -> str:
    made = annotate(Drawing(draw_figure().rgb, 300, 380), FigureClient()).character
    write_character(made, tmp_path / "character")
    return str(tmp_path / "character")


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What went wrong is told in one line on stderr, and nothing else is."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("animation-server: ")
    assert err.count("\n") == 1
    return err


def test_annotate_writes_a_character_folder(drawing: str, tmp_path: Path) -> None:
    """The folder opens as a character, and says where the figure is in the picture."""
    assert main(["annotate", drawing, "-o", str(tmp_path / "out")]) == 0
    character = read_character(tmp_path / "out")
    annotations = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert annotations["image"] == {"width": 300, "height": 380}
    assert character.mask.any()


def test_annotate_all_writes_a_folder_a_figure(drawing: str, tmp_path: Path) -> None:
    """Each figure of a sheet is a character of its own."""
    assert main(["annotate", drawing, "--all", "-o", str(tmp_path / "out")]) == 0
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders[0] == "figure_1"
    assert read_character(tmp_path / "out" / "figure_1").mask.any()


def test_animate_writes_one_file_a_motion(
    drawing: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a pipe there is no progress bar: nothing is written but the files."""
    arguments = ["--motion", "dab", "--motion", "zombie", "--size", "96x64", "--frames", "12"]
    assert main(["animate", drawing, *arguments, "-o", str(tmp_path / "out")]) == 0
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dab.gif", "zombie.gif"]
    with Image.open(tmp_path / "out" / "dab.gif") as gif:
        assert (gif.size, gif.n_frames <= 12) == ((96, 64), True)


def test_motions_of_one_name_are_refused(
    drawing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundled motion and a file called like it would write the same clip; nothing is made."""
    (tmp_path / "dab.bvh").write_bytes((LIBRARY / "dab.bvh").read_bytes())
    motions = ["--motion", "dab", "--motion", "wave", "--motion", str(tmp_path / "dab.bvh")]
    assert main(["animate", drawing, *motions, "-o", str(tmp_path / "out")]) == 3
    assert "two called dab" in one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_animate_takes_the_settings_motions(
    drawing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --motion, those of ANIMATION_MOTIONS at the size of ANIMATION_SIZE."""
    monkeypatch.setenv("ANIMATION_MOTIONS", "jumping")
    monkeypatch.setenv("ANIMATION_SIZE", "64")
    assert main(["animate", drawing, "-o", str(tmp_path / "out"), "--format", "apng"]) == 0
    with Image.open(tmp_path / "out" / "jumping.png") as png:
        assert png.size == (64, 64)


def test_a_progress_bar_on_a_terminal(drawing: str, tmp_path: Path) -> None:
    """With a terminal behind stderr, the frames done are shown."""
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    command = [sys.executable, "-m", "animation_server.cli", "animate", drawing, "--motion", "dab"]
    with subprocess.Popen([*command, "--size", "32", "-o", str(tmp_path)], stderr=follower) as process:
        os.close(follower)
        shown = b""
        # The kernel answers EIO once the last writer has gone.
        while chunk := _read(leader):
            shown += chunk
    os.close(leader)
    assert process.returncode == 0
    assert b"100%" in shown
    assert b"frame" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 10_000)
    except OSError:
        return b""


def test_animate_on_the_sheet(drawing: str, tmp_path: Path) -> None:
    """The picture has the drawing's proportions; all figures together make one clip."""
    look = ["--size", "64", "--frames", "8", "--speed", "2", "--once"]
    alone = ["animate", drawing, "--motion", "dab", *look, "-o", str(tmp_path)]
    assert main([*alone, "--background", "sheet"]) == 0
    assert main([*alone, "--figures", "all", "--format", "apng"]) == 0
    for name in ("dab.gif", "sheet.png"):
        with Image.open(tmp_path / name) as image:
            assert (image.size, image.n_frames, image.info.get("loop", 1)) == ((51, 64), 8, 1)


def test_all_figures_move_in_as_many_frames_as_are_asked_for(drawing: str, tmp_path: Path) -> None:
    """More than the motion has, too: there are new poses in between."""
    look = ["--size", "32", "--frames", "150", "--format", "apng"]
    assert main(["animate", drawing, "--motion", "dab", "--figures", "all", *look, "-o", str(tmp_path)]) == 0
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.n_frames == 150


def test_animate_before_a_colour_or_a_picture(
    drawing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is behind the figure is seen in the corner; what cannot be is told."""
    Image.new("RGB", (30, 20), (10, 200, 30)).save(tmp_path / "meadow.png")
    look = ["animate", drawing, "--motion", "dab", "--size", "48", "--frames", "4", "--format", "apng"]
    for background, corner in (("#102030", (16, 32, 48)), (str(tmp_path / "meadow.png"), (10, 200, 30))):
        assert main([*look, "--background", background, "-o", str(tmp_path)]) == 0
        with Image.open(tmp_path / "dab.png") as image:
            assert image.convert("RGB").getpixel((0, 0)) == corner
    for background in ("#1020", str(tmp_path / "none.png"), drawing + "/x"):
        assert main([*look, "--background", background, "-o", str(tmp_path / "out")]) == 3
        assert "expected" in one_line(capsys)


def test_render_writes_mp4(character: str, tmp_path: Path) -> None:
    """By the name of the output, as the other formats."""
    output = tmp_path / "out.mp4"
    assert main(["render", character, "--motion", "dab", "--size", "64", "-o", str(output)]) == 0
    assert output.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_render_takes_the_format_from_the_name(character: str, tmp_path: Path, suffix: str) -> None:
    """A character folder and a bundled motion make an animation in the format of the output's name."""
    output = tmp_path / f"out{suffix}"
    assert (
        main(["render", character, "--motion", "dab", "--size", "64", "--frames", "9", "-o", str(output)])
        == 0
    )
    with Image.open(output) as image:
        assert image.is_animated
        assert image.format == {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}[suffix]


def test_render_dumps_what_it_computed(character: str, tmp_path: Path) -> None:
    """The dump holds the design's arrays, in shapes that agree."""
    dump = tmp_path / "dump.npz"
    arguments = ["--motion", "dab", "--size", "32", "--frames", "20", "--dump", str(dump)]
    assert main(["render", character, *arguments, "-o", str(tmp_path / "out.gif")]) == 0
    with np.load(dump, allow_pickle=False) as arrays:
        n, j = arrays["joints_xyz"].shape[:2]
        v = len(arrays["rest_vertices"])
        assert n == 20
        assert arrays["shown_frames"].tolist() == list(range(n))
        assert arrays["joint_names"].shape == (j,)
        assert arrays["orientations_deg_all"].shape == (n, len(arrays["mapped_joint_names"]))
        assert arrays["char_root_xy_all"].shape == (n, 2)
        assert arrays["depths_all"].shape == (n, len(arrays["depth_driver_names"]))
        assert len(arrays["group_order"]) == n
        assert arrays["triangles"].max() == v - 1
        assert arrays["vertices_xy"].shape == (n, v, 2)


def test_no_dump_is_made_that_nobody_wants(
    character: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every frame of the motion would be computed and compressed for it."""
    monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: pytest.fail("made a dump"))
    arguments = ["--motion", "dab", "--size", "32", "--frames", "2"]
    assert main(["render", character, *arguments, "-o", str(tmp_path / "out.gif")]) == 0


def test_dump_tells_which_frames_are_shown(character: str, tmp_path: Path) -> None:
    """The arrays span the whole motion, of which a lower frame rate shows only some."""
    clip, dump = tmp_path / "out.gif", tmp_path / "dump.npz"
    arguments = ["--motion", "dab", "--size", "32", "--fps", "10", "--dump", str(dump)]
    assert main(["render", character, *arguments, "-o", str(clip)]) == 0
    with np.load(dump, allow_pickle=False) as arrays, Image.open(clip) as image:
        frames = arrays["shown_frames"]
        assert len(frames) == image.n_frames
        assert np.diff(frames).tolist() == [3] * (len(frames) - 1)
        assert 3 * len(frames) == len(arrays["joints_xyz"])


def test_a_dump_that_cannot_be_written_is_told_of_by_its_name(
    character: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no clip is left behind."""
    clip, dump = tmp_path / "out.gif", tmp_path / "missing" / "dump.npz"
    arguments = ["--motion", "dab", "--size", "32", "--frames", "2", "--dump", str(dump)]
    assert main(["render", character, *arguments, "-o", str(clip)]) == 3
    assert f"{dump}: cannot write" in capsys.readouterr().err
    assert not clip.exists()


@pytest.mark.skipif(not SHARED.exists(), reason="needs AnimatedDrawings' examples beside the checkout")
def test_render_takes_animated_drawings_files(tmp_path: Path) -> None:
    """A character folder, a motion and a retarget configuration of theirs, and a bare BVH file."""
    examples = SHARED / "animated_drawings" / "examples"
    character = str(examples / "characters" / "char1")
    config = examples / "config"
    theirs = [
        [
            "--motion",
            str(config / "motion" / "dab.yaml"),
            "--retarget",
            str(config / "retarget" / "fair1_ppf.yaml"),
        ],
        ["--motion", str(examples / "bvh" / "fair1" / "dab.bvh")],
    ]
    for number, motion in enumerate(theirs):
        output = tmp_path / f"{number}.gif"
        assert main(["render", character, *motion, "--size", "48", "--frames", "8", "-o", str(output)]) == 0
        assert output.stat().st_size > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Expected an image"),
        (b"text", "Expected a JPEG"),
        (DRAWING[:400], "damaged"),
        (BLANK, "xpected a drawing of a figure"),
        (None, "cannot read"),
    ],
)
@pytest.mark.parametrize("command", ["annotate", "animate"])
def test_bad_images_are_3(
    command: str, content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what was expected; nothing is written."""
    image = tmp_path / "image.png"
    if content is not None:
        image.write_bytes(content)
    assert main([command, str(image), "-o", str(tmp_path / "out")]) == 3
    assert said in one_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--motion", "moonwalk", "-o", "{out}.gif"], "moonwalk"),
        (["--motion", "moonwalk.bvh", "-o", "{out}.gif"], "moonwalk.bvh"),
        (["--motion", "dab", "-o", "{out}.tiff"], "expected a name that ends in .gif"),
        (["--motion", "dab", "-o", "{out}/missing/out.gif"], "cannot write"),
        (["--motion", "dab", "--size", "9000", "-o", "{out}.gif"], "size"),
    ],
)
def test_what_render_cannot_do_is_3(
    arguments: list[str], said: str, character: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown motions, formats and places: one line, and no file."""
    arguments = [argument.format(out=tmp_path / "out") for argument in arguments]
    assert main(["render", character, *arguments]) == 3
    assert said in one_line(capsys)
    assert not list(tmp_path.glob("out*"))


def test_no_character_is_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is none."""
    assert main(["render", str(tmp_path / "none"), "--motion", "dab", "-o", str(tmp_path / "out.gif")]) == 3
    assert "none" in one_line(capsys)


def test_models_that_fail_are_4(
    drawing: str, torchserve: FakeTorchServe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dependency is not the user's mistake."""
    torchserve.behaviours = ["500"]
    assert main(["annotate", drawing, "-o", str(tmp_path / "out")]) == 4
    assert "500" in one_line(capsys)


@pytest.mark.parametrize("command", [["doctor"], ["serve"], ["animate", "x", "-o", "y"]])
def test_wrong_settings_are_2(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt setting stops every command that reads them."""
    monkeypatch.setenv("ANIMATION_PROT", "80")
    assert main(command) == 2
    assert "Did you mean ANIMATION_PORT?" in one_line(capsys)


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["annotate"], ["render", "x", "--motion", "dab", "-o", "y.gif", "--frames", "0"],
     ["render", "x", "--motion", "dab", "-o", "y.gif", "--size", "axb"]],
)  # fmt: skip
def test_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Argparse says how it is meant."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    """--help is quick because it needs nothing."""
    program = (
        "import sys\nfrom animation_server.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = 'numpy', 'flask', 'numba', 'boto3', 'gevent', 'pydantic', 'cv2'\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
