"""AnimatedDrawings' scene files, from YAML to pixels."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from animation_server.character import write_character
from animation_server.cli import main
from animation_server.errors import InputError
from animation_server.motion.library import LIBRARY
from animation_server.render.camera import perspective_camera
from animation_server.scene.config import ViewSettings, load_scene_config
from animation_server.scene.scene import render_scene, scene_background, scene_camera, set_stage
from tests.places import SHARED
from tests.puppetry import drawn_character

EXAMPLES = SHARED / "animated_drawings" / "examples"
SCENES = sorted((EXAMPLES / "config" / "mvc").glob("*.yaml"))
needs_examples = pytest.mark.skipif(
    not SCENES, reason="AnimatedDrawings' examples are not beside the checkout"
)

FIGURE = {
    "character_cfg": "figure/char_cfg.yaml",
    "motion_cfg": "wave.yaml",
    "retarget_cfg": "frontal.yaml",
}


def write_scene(folder: Path, *, view: Any = None, controller: Any = None, characters: Any = None) -> Path:
    """A scene with the drawn figure and a bundled motion, in a small window."""
    write_character(drawn_character(), folder / "figure")
    for name in ("wave.bvh", "wave.yaml", "dab.bvh", "dab.yaml", "frontal.yaml"):
        shutil.copy(LIBRARY / name, folder)
    scene = {
        "scene": {"ANIMATED_CHARACTERS": characters or [FIGURE]},
        "view": {"WINDOW_DIMENSIONS": [90, 110], **(view or {})},
        "controller": {"MODE": "video_render", "OUTPUT_VIDEO_PATH": "video.gif", **(controller or {})},
    }
    (folder / "scene.yaml").write_text(yaml.safe_dump(scene))
    return folder / "scene.yaml"


def first_frame(path: Path) -> NDArray[np.uint8]:
    """(H, W, 4) RGBA of a scene's first frame, without loss."""
    with Image.open(io.BytesIO(render_scene(load_scene_config(path), "apng").data)) as image:
        return np.asarray(image.convert("RGBA"))


def test_a_scene_is_framed_and_transparent(tmp_path: Path) -> None:
    """Without a camera the figure fills the picture; AnimatedDrawings' clear colour is transparent."""
    frame = first_frame(write_scene(tmp_path))
    assert frame.shape == (110, 90, 4)
    assert frame[0, 0, 3] == 0
    rows, columns = np.nonzero(frame[..., 3])
    assert np.ptp(rows) > 70 or np.ptp(columns) > 60


def test_the_clear_colour(tmp_path: Path) -> None:
    """An opaque one fills the picture."""
    frame = first_frame(write_scene(tmp_path, view={"CLEAR_COLOR": [1.0, 0.5, 0.0, 1.0]}))
    assert frame[0, 0].tolist() == [255, 128, 0, 255]


def test_a_background_picture_is_stretched(tmp_path: Path) -> None:
    """Each of its corners comes to the picture's."""
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:10, :20], picture[:10, 20:], picture[10:, :20] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    cv2.imwrite(str(tmp_path / "room.png"), picture)
    frame = first_frame(write_scene(tmp_path, view={"BACKGROUND_IMAGE": "room.png"}))
    corners = [frame[2, 2, :3], frame[2, -3, :3], frame[-3, 2, :3]]
    assert [corner.argmax() for corner in corners] == [2, 1, 0]
    assert (frame[..., 3] == 255).all()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A figure, picture or motion that is missing: which one, and where it was looked for."""
    path = write_scene(tmp_path, view={"BACKGROUND_IMAGE": "nowhere.png"})
    with pytest.raises(InputError, match=r"view\.BACKGROUND_IMAGE.*nowhere\.png"):
        load_scene_config(path)
    path = write_scene(tmp_path, characters=[FIGURE | {"motion_cfg": "nothing.yaml"}])
    with pytest.raises(InputError, match=r"ANIMATED_CHARACTERS\[0\]\.motion_cfg.*nothing\.yaml"):
        load_scene_config(path)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"CLEAR_COLOUR": [1, 1, 1, 1]}, r"view\.CLEAR_COLOUR: unknown key"),
        ({"WINDOW_DIMENSIONS": [0, 500]}, r"view\.WINDOW_DIMENSIONS\[0\].*greater than or equal to 1"),
        ({"DRAW_AD_RIG": "yes"}, r"view\.DRAW_AD_RIG.*boolean"),
        ({"CAMERA_POS": [1.0, 2.0]}, r"view\.CAMERA_POS"),
    ],
)
def test_mistakes_in_a_scene_are_told(tmp_path: Path, view: Any, said: str) -> None:
    """The key, what it takes and what came."""
    with pytest.raises(InputError, match=said):
        load_scene_config(write_scene(tmp_path, view=view))


def test_figures_are_drawn_in_the_files_order(tmp_path: Path) -> None:
    """Each with its own motion, over one another; the clip lasts as long as the longest."""
    one = render_scene(load_scene_config(write_scene(tmp_path)), "gif")
    two = [FIGURE, FIGURE | {"motion_cfg": "dab.yaml"}]
    both = render_scene(load_scene_config(write_scene(tmp_path, characters=two)), "gif")
    dab = render_scene(load_scene_config(write_scene(tmp_path, characters=two[1:])), "gif")
    assert both.duration == pytest.approx(max(one.duration, dab.duration), abs=0.05)
    assert both.data not in (one.data, dab.data)


@pytest.mark.parametrize("key", ["DRAW_AD_RIG", "DRAW_AD_COLOR", "DRAW_AD_MESH_LINES"])
def test_a_figures_working_can_be_shown(tmp_path: Path, key: str) -> None:
    """Bones, parts and mesh are drawn with the texture or without it, and leave nothing behind."""
    plain = first_frame(write_scene(tmp_path))
    alone = first_frame(write_scene(tmp_path, view={key: True, "DRAW_AD_TXTR": False}))
    over = first_frame(write_scene(tmp_path, view={key: True}))
    is_drawn = alone[..., 3] == 255
    assert 0.01 < is_drawn.mean() < 0.9
    np.testing.assert_array_equal(over[is_drawn], alone[is_drawn])
    assert (over != plain).any()
    clip = render_scene(load_scene_config(write_scene(tmp_path, view={key: True})), "gif")
    with Image.open(io.BytesIO(clip.data)) as image:
        image.seek(clip.n_frames - 1)
        assert np.asarray(image.convert("RGBA"))[0, 0, 3] == 0


def test_nothing_is_drawn_without_texture(tmp_path: Path) -> None:
    """DRAW_AD_TXTR alone decides about the figure itself."""
    assert not first_frame(write_scene(tmp_path, view={"DRAW_AD_TXTR": False})).any()


def test_a_figure_has_the_skeleton_that_the_scene_names(tmp_path: Path) -> None:
    """A folder may hold several; each with the texture and the mask beside it."""
    path = write_scene(tmp_path, characters=[{**FIGURE, "character_cfg": "figure/taller.yaml"}])
    config = yaml.safe_load((tmp_path / "figure" / "char_cfg.yaml").read_text())
    for joint in config["skeleton"]:
        if joint["name"] == "neck":
            joint["loc"][1] -= 20
    (tmp_path / "figure" / "taller.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "figure" / "char_cfg.yaml").unlink()
    (figure,) = set_stage(load_scene_config(path)).figures
    (other,) = set_stage(load_scene_config(write_scene(tmp_path))).figures
    assert not np.allclose(figure.joints, other.joints)


@pytest.mark.parametrize("z", [-3.0, -0.5])
@pytest.mark.parametrize("key", [None, "DRAW_AD_RIG", "DRAW_AD_COLOR", "DRAW_AD_MESH_LINES"])
def test_a_figure_behind_the_camera_is_not_seen(tmp_path: Path, key: str | None, z: float) -> None:
    """Nor around it; nor does it come in upside down, nor anything of its working."""
    view = {"CAMERA_POS": [0.0, 0.5, z], "CAMERA_FWD": [0.0, 0.0, 1.0]} | ({key: True} if key else {})
    assert not first_frame(write_scene(tmp_path, view=view)).any()


def test_half_a_camera_is_completed() -> None:
    """AnimatedDrawings' default stands for the half that is not given; with neither, figures are framed."""
    assert scene_camera(ViewSettings()) is None
    default = perspective_camera((0.0, 0.7, 2.0), (0.0, 0.5, 2.0), 500, 500)
    for view in (ViewSettings(camera_pos=(0.0, 0.7, 2.0)), ViewSettings(camera_fwd=(0.0, 0.5, 2.0))):
        camera = scene_camera(view)
        assert camera is not None
        np.testing.assert_array_equal(camera.matrix, default.matrix)


def test_an_mp4_is_opaque() -> None:
    """Where other formats are transparent, the clear colour is seen."""
    view = ViewSettings(clear_color=(0.0, 1.0, 0.0, 0.0), window_dimensions=(4, 4))
    assert scene_background(view, is_opaque=False) is None
    background = scene_background(view, is_opaque=True)
    assert background is not None
    assert background[0, 0].tolist() == [0, 255, 0]


def test_the_command_writes_where_the_scene_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OUTPUT_VIDEO_PATH counts from the current folder; -o goes before it."""
    monkeypatch.chdir(tmp_path)
    path = write_scene(tmp_path)
    assert main(["scene", str(path)]) == 0
    assert (tmp_path / "video.gif").stat().st_size > 0
    for name in ("other.mp4", "other.webp", "other.png"):
        assert main(["scene", str(path), "-o", name]) == 0
        assert (tmp_path / name).stat().st_size > 0


def test_no_interactive_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such a scene is refused and the studio named; with -o it is rendered."""
    path = write_scene(tmp_path, controller={"MODE": "interactive"})
    assert main(["scene", str(path)]) == 3
    assert "studio" in capsys.readouterr().err
    assert main(["scene", str(path), "-o", str(tmp_path / "out.gif")]) == 0


@needs_examples
def test_a_missing_example_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The file that is not there, in one line."""
    assert main(["scene", str(EXAMPLES / "config" / "mvc" / "export_gif_example.yaml")]) == 3
    assert "char3/char_cfg.yaml" in capsys.readouterr().err


@needs_examples
@pytest.mark.parametrize(
    ("character", "motion", "retarget"),
    [("char1", "dab", "fair1_ppf"), ("char1", "zombie", "fair1_spf"), ("char6", "wave_hello", "four_legs")],
)
def test_a_figure_lands_where_animated_drawings_puts_it(
    character: str, motion: str, retarget: str, tmp_path: Path
) -> None:
    """With its camera, joints of trunk, neck and legs are within a pixel in every sampled frame."""
    figure = {
        "character_cfg": str(EXAMPLES / "characters" / character / "char_cfg.yaml"),
        "motion_cfg": str(EXAMPLES / "config" / "motion" / f"{motion}.yaml"),
        "retarget_cfg": str(EXAMPLES / "config" / "retarget" / f"{retarget}.yaml"),
    }
    view = {"WINDOW_DIMENSIONS": [500, 500], "CAMERA_POS": [0.0, 0.7, 2.0]}
    stage = set_stage(load_scene_config(write_scene(tmp_path, characters=[figure], view=view)))
    (shown,) = stage.figures
    with np.load(SHARED / "reference" / f"{character}_{motion}_{retarget}.npz") as reference:
        names, frames, joints = (
            reference["joint_names"].tolist(),
            reference["frames"],
            reference["joints_xyz"],
        )
        matrix = (reference["camera_proj_500x500"] @ reference["camera_view"]).astype(np.float64)
    clip = np.append(joints, np.ones((*joints.shape[:2], 1)), axis=2) @ matrix.T
    wanted = (clip[..., :2] / clip[..., 3:] * (1, -1) + 1) * 250
    checked = 0
    for frame, place in zip(frames, wanted, strict=True):
        at = np.flatnonzero(stage.timing.frames == frame)
        for joint, name in enumerate(names):
            # the reference's arms miss the angle that they should have
            if len(at) and not name.endswith(("elbow", "hand", "shoulder")):
                ours = shown.joints[at[0], shown.actor.puppet.joint_names.index(name)]
                assert np.abs(ours - place[joint]).max() < 1.0
                checked += 1
    assert checked > 100


@pytest.mark.slow
@needs_examples
@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.stem)
def test_every_example_is_rendered(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AnimatedDrawings' scene files unchanged; figures that are not at hand are stood in for."""
    root = tmp_path / "examples"
    (root / "characters").mkdir(parents=True)
    (root / "bvh").symlink_to(EXAMPLES / "bvh")
    shutil.copytree(EXAMPLES / "config", root / "config")
    for folder in (EXAMPLES / "characters").iterdir():
        shutil.copytree(folder, root / "characters" / folder.name)
    for name in ("char3", "char4"):
        shutil.copytree(EXAMPLES / "characters" / "char1", root / "characters" / name, dirs_exist_ok=True)
    picture = EXAMPLES / "characters" / "char1" / "texture.png"
    shutil.copy(picture, root / "characters" / "char4" / "background.png")
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "examples" / "config" / "mvc" / scene.name
    names_no_file = "OUTPUT_VIDEO_PATH" not in scene.read_text()
    output = tmp_path / ("video.mp4" if "mp4" in scene.stem else "video.gif")
    assert main(["scene", str(config), *(["-o", str(output)] if names_no_file else [])]) == 0
    size = (300, 400) if "background" in scene.stem else (500, 500)
    if output.suffix == ".mp4":
        with av.open(str(output)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == size
    else:
        with Image.open(output) as image:
            assert image.size == size
            assert image.n_frames > 100
