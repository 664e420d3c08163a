"""Figures animated on their own sheet."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from animation_server.animate import AnimationOptions, animate, prepare
from animation_server.annotate import Annotation, annotate, annotate_figure
from animation_server.drawing import Drawing
from animation_server.errors import InputError
from animation_server.inference.contract import Detection
from animation_server.motion.rig_motion import RigMotion
from animation_server.scene.sheet import Sheet, SheetFigure, animate_sheet, prepare_sheet
from animation_server.scene.sheet_background import Place, clear_sheet, place_of
from tests.fakes import FigureClient
from tests.figures import PAPER, draw_figure
from tests.puppetry import drawn_character, swaying

LOSSLESS = AnimationOptions(size=(300, 300), format="apng", background="sheet")


def on_paper(x: int, y: int, width: int = 500, height: int = 480) -> NDArray[np.uint8]:
    """The drawn figure on a larger sheet."""
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    sheet[y : y + 380, x : x + 300] = draw_figure().rgb
    return sheet


def annotated(rgb: NDArray[np.uint8], scale: int = 1) -> tuple[Drawing, Annotation]:
    drawing = Drawing(rgb, rgb.shape[1] * scale, rgb.shape[0] * scale)
    return drawing, annotate(drawing, FigureClient())


def exact_sheet(rgb: NDArray[np.uint8], x: int, y: int) -> Sheet:
    """A sheet whose figure's mask is known without a model."""
    character, place = drawn_character(), Place(1.0, (float(x), float(y)))
    figure = SheetFigure(character, prepare(character, even_paper=False), place)
    return Sheet(clear_sheet(rgb, [(character.mask, place)]), (figure,))


def frames_of(data: bytes) -> list[NDArray[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        return [_frame(image, k) for k in range(image.n_frames)]


def _frame(image: Image.Image, k: int) -> NDArray[np.uint8]:
    image.seek(k)
    return np.asarray(image.convert("RGB"))


def still(sheet: Sheet, n_frames: int = 3, way: tuple[float, float] = (0.0, 0.0)) -> list[RigMotion]:
    """The rest pose for each figure, moved along evenly by `way` in all, world units."""
    motions = []
    for figure in sheet.figures:
        rest = swaying(figure.character, n_frames, 0.0)
        path = np.linspace(0.0, 1.0, n_frames)[:, None] * np.array([*way, 0.0])
        root = rest.root_xyz + path
        motions.append(replace(rest, joints_xyz=rest.joints_xyz + path[:, None], root_xyz=root))
    return motions


@pytest.mark.parametrize("scale", [1, 3])
def test_the_place_is_where_the_texture_came_from(scale: int) -> None:
    """The texture's pixels are the sheet's, whatever the photograph's full size."""
    drawing, annotation = annotated(on_paper(120, 60), scale)
    place = place_of(annotation, drawing)
    height, width = annotation.character.mask.shape
    left, top = (round(value) for value in place.offset)
    assert place.scale == pytest.approx(1.0)
    assert (left, top) == pytest.approx(place.offset)
    window = drawing.rgb[top : top + height, left : left + width]
    np.testing.assert_array_equal(window, annotation.character.texture)


def test_a_cleared_sheet_is_paper() -> None:
    """No ink of the figure is left, its light goes on where it was, and the rest is untouched."""
    light = np.linspace(0.6, 1.0, 500)[None, :, None]
    rgb = (on_paper(150, 60) * light).astype(np.uint8)
    paper = np.full((480, 500, 3), PAPER) * light
    cleared = clear_sheet(rgb, [(draw_figure().mask, Place(1.0, (150.0, 60.0)))])
    assert np.abs(cleared - paper).max() < 12
    np.testing.assert_array_equal(cleared[:40], rgb[:40])


def test_neighbours_stay_on_the_sheet() -> None:
    """What is drawn beside the figure is no part of it."""
    rgb = on_paper(20, 60)
    cv2.circle(rgb, (450, 400), 20, (200, 40, 40), -1)
    mask = np.zeros((380, 300), bool)
    mask[40:340, 30:270] = True
    cleared = clear_sheet(rgb, [(mask, Place(1.0, (20.0, 60.0)))])
    np.testing.assert_array_equal(cleared[360:, 420:], rgb[360:, 420:])


def test_nothing_to_clear_clears_nothing() -> None:
    """No figure, or one that covers everything."""
    rgb = on_paper(20, 60)
    np.testing.assert_array_equal(clear_sheet(rgb, []), rgb)
    everything = np.ones((480, 500), bool)
    np.testing.assert_array_equal(clear_sheet(rgb, [(everything, Place(1.0, (0.0, 0.0)))]), rgb)


def test_a_figure_at_rest_looks_as_drawn() -> None:
    """The rest pose on the cleared sheet is the drawing again, but for the softened edge."""
    rgb = on_paper(120, 60)
    sheet = exact_sheet(rgb, 120, 60)
    mask = draw_figure().mask.astype(np.uint8)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    clip = animate_sheet(sheet, still(sheet), replace(LOSSLESS, size=(500, 480)))
    for frame in frames_of(clip.data):
        difference = np.abs(frame.astype(int) - rgb).max(axis=2)[60:440, 120:420]
        assert difference[~edge].max() < 12


def test_the_picture_has_the_sheets_proportions() -> None:
    """It fits into the size asked for, in every format."""
    drawing, annotation = annotated(on_paper(20, 60, width=340, height=680))
    sheet = prepare_sheet(drawing, [annotation])
    for name in ("gif", "webp", "apng", "mp4"):
        clip = animate_sheet(sheet, still(sheet), replace(LOSSLESS, format=name))
        assert (clip.width, clip.height) == (150, 300)


def test_a_figure_does_not_leave_the_sheet() -> None:
    """Its way is shortened to what there is room for, in one direction as in the other."""
    sheet = exact_sheet(on_paper(100, 60), 100, 60)
    for way in ((3.0, 0.0), (-3.0, 0.0), (0.0, -2.0)):
        clip = animate_sheet(sheet, still(sheet, 5, way), replace(LOSSLESS, size=(500, 480)))
        ink = [(255.0 - frame).sum() for frame in frames_of(clip.data)]
        assert min(ink) > 0.98 * ink[0]
        first, *_, last = frames_of(clip.data)
        assert (first != last).any()


def test_figures_move_together() -> None:
    """Two on one sheet, each in its place; the clip lasts as long as the longer motion."""
    rgb = np.concatenate((on_paper(60, 60), on_paper(100, 60)), axis=1)
    drawing = Drawing(rgb, 1000, 480)
    boxes = [(60.0, 60.0, 360.0, 440.0), (600.0, 60.0, 900.0, 440.0)]
    annotations = [annotate_figure(drawing, Detection(box, 0.9), FigureClient()) for box in boxes]
    sheet = prepare_sheet(drawing, annotations)
    assert np.abs(sheet.paper.astype(int) - PAPER).max() < 12
    one, two = still(sheet, 4)[0], still(sheet, 8)[1]
    clip = animate_sheet(sheet, [one, two], replace(LOSSLESS, size=(1000, 480)))
    assert clip.n_frames == 8
    for frame in frames_of(clip.data):
        ink = (frame < 120).all(axis=2)
        assert ink[:, :500].sum() == pytest.approx(ink[:, 500:].sum(), rel=0.1)


def test_what_does_not_fit_is_refused() -> None:
    """As many motions as figures; and no sheet where none is known."""
    drawing, annotation = annotated(on_paper(120, 60))
    sheet = prepare_sheet(drawing, [annotation])
    with pytest.raises(InputError, match="one for each of 1 figures, got 2"):
        animate_sheet(sheet, still(sheet) * 2)
    character = annotation.character
    with pytest.raises(InputError, match="background: the sheet is not known"):
        animate(character, swaying(character), LOSSLESS)
