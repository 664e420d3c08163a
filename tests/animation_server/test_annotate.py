"""Drawing to character, against models that know the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from animation_server.annotate import (
    DETECT_SIDE,
    KEYPOINT_NAMES,
    TEXTURE_SIDE,
    USED_KEYPOINTS,
    annotate,
    annotate_all,
    find_figures,
)
from animation_server.annotation_folder import write_annotation
from animation_server.character import read_character
from animation_server.drawing import Drawing
from animation_server.errors import NoFigureError
from animation_server.inference.contract import Detection, Pose
from tests.figures import PAPER, DrawnFigure, draw_figure


@dataclass
class Oracle:
    """Models that know where one figure stands on a sheet: sheet = figure * scale + offset."""

    figure: DrawnFigure
    sheet: tuple[int, int]
    scale: float
    offset: tuple[float, float]
    box_error: float = 0.0
    crops: list[tuple[int, int]] = field(default_factory=list)
    rgb: NDArray[np.uint8] | None = None

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Answer the true box, smaller by `box_error` of its size on the left."""
        rows, cols = np.nonzero(self.figure.mask)
        box = np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]) * self.scale
        box += np.tile(self.offset, 2)
        box[0] += self.box_error * (box[2] - box[0])
        shrink = image.shape[1] / self.sheet[0]
        left, top, right, bottom = (box * shrink).tolist()
        return [Detection((left, top, right, bottom), 0.9)]

    def estimate_pose(self, crop: NDArray[np.uint8]) -> Pose:
        """Find the crop on the sheet by matching it, and answer what is there."""
        self.crops.append(crop.shape[:2])
        assert self.rgb is not None
        found = cv2.matchTemplate(self.rgb, crop, cv2.TM_SQDIFF)
        _, _, (x, y), _ = cv2.minMaxLoc(found)
        at = np.array([x, y])
        points = [self.figure.keypoints.get(name, self.figure.keypoints["nose"]) for name in KEYPOINT_NAMES]
        keypoints = np.array(points) * self.scale + self.offset - at
        mask = self.place(self.figure.mask.astype(np.uint8), 0)[y : y + crop.shape[0], x : x + crop.shape[1]]
        return Pose(np.column_stack([keypoints, np.full(len(keypoints), 0.8)]), mask.astype(bool))

    def place(self, picture: NDArray[np.uint8], paper) -> NDArray[np.uint8]:
        """Lay a picture of the figure's size onto the sheet."""
        matrix = np.array(
            [[self.scale, 0, self.offset[0]], [0, self.scale, self.offset[1]]], dtype=np.float64
        )
        return cv2.warpAffine(picture, matrix, self.sheet, flags=cv2.INTER_NEAREST, borderValue=paper)

    def version(self) -> str:
        return "oracle"

    def check(self) -> None:
        return

    def close(self) -> None:
        return


def on_a_sheet(
    scale: float = 1.0, offset: tuple[float, float] = (200, 100), sheet: tuple[int, int] = (900, 700)
) -> tuple[Drawing, Oracle]:
    """A drawing with the figure on it, and models that know it."""
    figure = draw_figure(4)
    oracle = Oracle(figure, sheet, scale, offset)
    oracle.rgb = oracle.place(figure.rgb, PAPER)
    return Drawing(oracle.rgb, sheet[0] * 2, sheet[1] * 2), oracle


def expected(oracle: Oracle, name: str) -> NDArray[np.float64]:
    """Where a keypoint lies in the full picture, twice the size of the working one."""
    return (np.array(oracle.figure.keypoints[name]) * oracle.scale + oracle.offset) * 2 + 0.5


@pytest.mark.parametrize("name", USED_KEYPOINTS)
def test_keypoints_come_back_in_full_pixels(name: str) -> None:
    """Crop, texture and working frames are all undone."""
    drawing, oracle = on_a_sheet()
    annotation = annotate(drawing, oracle)
    np.testing.assert_allclose(annotation.keypoints[name][:2], expected(oracle, name), atol=0.01)
    assert annotation.keypoints[name][2] == 0.8


def test_texture_and_joints_agree_with_the_picture() -> None:
    """Texture times scale plus offset is the full frame, for pixels as for joints."""
    drawing, oracle = on_a_sheet()
    annotation = annotate(drawing, oracle)
    character = annotation.character
    full = cv2.resize(drawing.rgb, (drawing.width, drawing.height), interpolation=cv2.INTER_LINEAR)
    rows, cols = np.nonzero(character.mask)
    x = np.rint(cols * annotation.texture_scale + annotation.texture_offset[0]).astype(int)
    y = np.rint(rows * annotation.texture_scale + annotation.texture_offset[1]).astype(int)
    difference = np.abs(full[y, x].astype(int) - character.texture[rows, cols]).mean()
    assert difference < 6
    nose = character.skeleton.joints_px[character.skeleton.names.index("neck")]
    np.testing.assert_allclose(
        nose * annotation.texture_scale + annotation.texture_offset,
        annotation.keypoints["nose"][:2],
        atol=1e-6,
    )


def test_the_box_surrounds_the_mask() -> None:
    """The box is drawn around what was cut out, to the pixel."""
    drawing, oracle = on_a_sheet()
    annotation = annotate(drawing, oracle)
    rows, cols = np.nonzero(oracle.figure.mask)
    truth = np.array([cols.min() + 200, rows.min() + 100, cols.max() + 201, rows.max() + 101]) * 2
    np.testing.assert_allclose(annotation.bbox_xyxy, truth, atol=2.1)


def test_a_box_that_cuts_an_arm_is_widened() -> None:
    """A figure that runs out of its crop is looked at once more with paper added on that side."""
    drawing, oracle = on_a_sheet()
    oracle.box_error = 0.2
    annotation = annotate(drawing, oracle)
    assert len(oracle.crops) == 2
    hand = annotation.keypoints["right_hand"][0]
    assert annotation.bbox_xyxy[0] <= hand


def test_a_foot_that_runs_out_of_its_crop_is_looked_after() -> None:
    """A stroke the models know nothing of, which leaves the crop at the foot, ends in a larger crop."""
    drawing, oracle = on_a_sheet()
    assert oracle.rgb is not None
    cv2.line(oracle.rgb, (390, 430), (440, 470), (40, 40, 60), 4)
    annotation = annotate(drawing, oracle)
    assert len(oracle.crops) == 2
    assert annotation.bbox_xyxy[3] / 2 >= 470


def test_a_figure_at_the_sheets_edge_is_not_looked_at_twice() -> None:
    """Where the picture ends there is no more paper to add."""
    drawing, oracle = on_a_sheet(offset=(-34, 100))
    annotate(drawing, oracle)
    assert len(oracle.crops) == 1


def test_large_figures_are_reduced_to_the_textures_size() -> None:
    """Neither the detector nor the character sees more pixels than it can use."""
    drawing, oracle = on_a_sheet(scale=3, offset=(20, 20), sheet=(1000, 1200))
    seen = []
    detect = oracle.detect
    oracle.detect = lambda image: seen.append(image.shape) or detect(image)  # type: ignore[method-assign]
    assert find_figures(drawing, oracle)
    assert max(seen[0]) == DETECT_SIDE
    oracle.estimate_pose = (
        lambda crop: Pose(  # type: ignore[method-assign]
            np.tile([crop.shape[1] / 2, crop.shape[0] / 2, 1.0], (17, 1)), np.ones(crop.shape[:2], bool)
        )
    )
    character = annotate(drawing, oracle).character
    assert max(character.mask.shape) <= TEXTURE_SIDE


def test_a_sheet_without_a_figure_is_the_callers_mistake() -> None:
    """No detection: an error that says what to photograph."""
    drawing, oracle = on_a_sheet()
    oracle.detect = lambda image: []  # type: ignore[method-assign]
    with pytest.raises(NoFigureError, match="found none"):
        annotate(drawing, oracle)


def test_the_pose_network_has_the_last_word() -> None:
    """A box in which no joints are seen is passed over for the next; with no other, there is no figure."""
    drawing, oracle = on_a_sheet()
    (true,) = oracle.detect(drawing.rgb)
    blank = Detection((5.0, 5.0, 105.0, 85.0), 0.95)
    knows = oracle.estimate_pose

    def estimate_pose(crop: NDArray[np.uint8]) -> Pose:
        pose = knows(crop)
        is_blank = not pose.mask.any()
        return Pose(pose.keypoints * [1, 1, 0.01 if is_blank else 1.0], pose.mask)

    oracle.estimate_pose = estimate_pose  # type: ignore[method-assign]
    oracle.detect = lambda image: [_shrunk(d, image, drawing) for d in (blank, true)]  # type: ignore[method-assign]
    assert annotate(drawing, oracle).score == true.score
    oracle.detect = lambda image: [_shrunk(blank, image, drawing)]  # type: ignore[method-assign]
    with pytest.raises(NoFigureError, match="found none"):
        annotate(drawing, oracle)


def test_every_figure_of_a_sheet_becomes_a_character() -> None:
    """All boxes in which joints are seen, in the detector's order."""
    drawing, oracle = on_a_sheet()
    (true,) = oracle.detect(drawing.rgb)
    worse = Detection(true.bbox_xyxy, 0.5)
    oracle.detect = lambda image: [_shrunk(d, image, drawing) for d in (true, worse)]  # type: ignore[method-assign]
    assert [annotation.score for annotation in annotate_all(drawing, oracle)] == [0.9, 0.5]


def _shrunk(detection: Detection, image: NDArray[np.uint8], drawing: Drawing) -> Detection:
    shrink = image.shape[1] / drawing.rgb.shape[1]
    left, top, right, bottom = (np.array(detection.bbox_xyxy) * shrink).tolist()
    return Detection((left, top, right, bottom), detection.score)


def test_the_folder_holds_everything(tmp_path: Path) -> None:
    """The annotate command's folder opens as a character and says where it was found."""
    drawing, oracle = on_a_sheet()
    annotation = annotate(drawing, oracle)
    write_annotation(annotation, tmp_path / "a")
    pictures = {"mask.png", "texture.png", "joint_overlay.png"}
    texts = {"char_cfg.yaml", "bounding_box.yaml", "annotations.json"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == pictures | texts
    character = read_character(tmp_path / "a")
    np.testing.assert_array_equal(character.mask, annotation.character.mask)
    written = json.loads((tmp_path / "a" / "annotations.json").read_text())
    assert written["image"] == {"width": 1800, "height": 1400}
    assert set(USED_KEYPOINTS) == set(written["keypoints"])
