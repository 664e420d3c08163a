"""Paper made even: lighting and grain go, strokes and colours stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from animation_server.character import Character
from animation_server.render.paper import even_out, trim_rim
from animation_server.render.texture import cut_out, make_sprite
from tests.figures import draw_figure
from tests.puppetry import odd_characters


def photographed(light: NDArray[np.float64], grain: float = 0.0, seed: int = 0) -> NDArray[np.uint8]:
    """The drawn figure under a light (broadcast to H, W, 3), with grain of a standard deviation."""
    rng = np.random.default_rng(seed)
    lit = draw_figure().rgb * light
    return (lit + rng.normal(0.0, grain, lit.shape)).clip(0, 255).astype(np.uint8)


def sloping(dimmest: float) -> NDArray[np.float64]:
    """Light that falls off to the right, and is warm."""
    return np.linspace(1.0, dimmest, 300)[None, :, None] * np.array([1.0, 0.93, 0.8])


@pytest.mark.parametrize("dimmest", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("grain", [0.0, 4.0])
def test_paper_becomes_white_and_ink_stays_dark(dimmest: float, grain: float) -> None:
    """Bare paper inside the figure is white throughout, and strokes keep their contrast."""
    figure = draw_figure(line=5)
    evened = even_out(photographed(sloping(dimmest), grain), figure.mask)
    paper = (figure.rgb.min(axis=2) > 230) & figure.mask
    ink = figure.rgb.max(axis=2) < 70
    assert np.percentile(evened.rgb[paper], 2) >= 250
    assert evened.is_paper[paper].mean() > 0.95
    assert evened.is_paper[ink].mean() < 0.05
    assert np.median(evened.rgb[ink].max(axis=1)) < 110


def test_colours_keep_their_hue() -> None:
    """A red area stays red while warm light is taken out."""
    figure = draw_figure()
    texture = figure.rgb.copy()
    texture[120:200, 125:175] = (200, 40, 40)
    lit = (texture * np.array([1.0, 0.9, 0.75])).astype(np.uint8)
    red, green, blue = even_out(lit, figure.mask).rgb[160, 150].astype(int)
    assert red > 190
    assert abs(green - blue) < 12
    assert green < 60


def test_chalk_on_a_board_is_left_as_it_is() -> None:
    """Surroundings darker than the figure are no paper, and nothing is made white."""
    figure = draw_figure(line=7)
    board = 255 - figure.rgb
    evened = even_out(board, figure.mask)
    assert (evened.rgb == board).all()
    assert not evened.is_paper.any()
    assert (cut_out(board, figure.mask).colour[figure.mask] == board[figure.mask]).all()


def test_the_rim_around_strokes_goes() -> None:
    """A mask that is too wide by some pixels is taken back to the outline, but for a pixel."""
    figure = draw_figure(line=5)
    wide = np.zeros_like(figure.mask)
    rows, columns = np.nonzero(figure.mask)
    for shift in range(-4, 5):
        wide[rows, (columns + shift).clip(0, 299)] = wide[(rows + shift).clip(0, 379), columns] = True
    trimmed = trim_rim(wide, even_out(figure.rgb, wide).is_paper)
    around = ~(cv2.dilate(figure.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    assert (trimmed & around).sum() < 0.1 * (wide & around).sum()
    assert (figure.mask & ~trimmed).sum() < 0.02 * figure.mask.sum()


def test_cut_edges_carry_no_paper() -> None:
    """Where the edge is half transparent its colour is the outline's: nothing pale shines on the dark."""
    figure = draw_figure(line=5)
    sprite = make_sprite(cut_out(figure.rgb, figure.mask), 0.7).rgba.astype(float)
    edge = (sprite[..., 3] > 60) & (sprite[..., 3] < 200)
    straight = sprite[edge][:, :3] * 255 / sprite[edge][:, 3:]
    assert (straight.mean(axis=1) < 130).mean() > 0.9


@given(odd_characters())
@settings(max_examples=60, deadline=None)
def test_nothing_is_too_odd_to_cut_out(character: Character) -> None:
    """Any texture and mask give a sprite at any scale, transparent at its border."""
    cutout = cut_out(character.texture, character.mask)
    for scale in (0.05, 1.0, 3.7):
        rgba = make_sprite(cutout, scale).rgba
        for edge in (rgba[:2], rgba[-2:], rgba[:, :2], rgba[:, -2:]):
            assert not edge.any()
        assert (rgba[..., :3] <= rgba[..., 3:]).all()


def test_thin_lines_are_as_dark_as_the_figure_is_elsewhere() -> None:
    """A pen line of a photographed pixel is half paper everywhere; cut out, it has the pen's colour."""
    photograph = np.full((300, 300, 3), 225, np.uint8)
    mask = np.zeros((300, 300), np.uint8)
    cv2.rectangle(photograph, (100, 40), (200, 140), (40, 40, 90), 4)
    cv2.rectangle(mask, (98, 38), (202, 142), 1, -1)
    photograph[140:280, 150] = (130, 130, 155)
    mask[140:280, 149:152] = 1
    cutout = cut_out(photograph, mask > 0)
    line = cutout.colour[160:270, 150].astype(int)
    assert line.max(axis=0)[0] < 110
    assert (line[:, 2] > line[:, 0]).all()
    assert (cutout.alpha[160:270, 150] > 200).all()
