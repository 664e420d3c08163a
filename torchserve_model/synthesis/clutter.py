"""What else is on the page: things about a figure, ground lines and frames, pages without any figure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis import curves, things
from torchserve_model.synthesis.canvas import Canvas
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.figure import DrawnFigure, draw_figure
from torchserve_model.synthesis.finish import Style
from torchserve_model.synthesis.sketch import Sketch, bounds

_ORIGIN = np.zeros(2)


def draw_around(
    rng: np.random.Generator,
    canvas: Canvas,
    style: Style,
    drawn: DrawnFigure,
    scale: float,
    offset_px: Points,
) -> None:
    """Neighbours and things that reach into the crop of a figure, drawn before it."""
    size = canvas.size
    if rng.random() < 0.1:
        _neighbour(rng, canvas, style, scale)
    sketch = Sketch(rng, style.medium, scale)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            at = _near_edge(rng, size)
            things.THINGS[int(rng.integers(len(things.THINGS)))](sketch, at, size * rng.uniform(0.1, 0.3))
    if rng.random() < 0.06:
        y = float(drawn.joints[-1, 1] * scale + offset_px[1]) + rng.uniform(-0.01, 0.05) * size
        _ground(sketch, y, size)
    if rng.random() < 0.05:
        _frame(sketch, np.array([size, size], dtype=np.float64))
    if rng.random() < 0.05:
        _backdrop(sketch, np.array([size, size], dtype=np.float64))
    canvas.draw(sketch.marks, 1.0, _ORIGIN)


def draw_across(rng: np.random.Generator, canvas: Canvas, style: Style, scale: float) -> None:
    """Now and then strokes that cross a drawn figure: rain, a slip of the pen, a word over a leg."""
    if rng.random() >= 0.07:
        return
    sketch = Sketch(rng, style.medium, scale)
    thing = (things.strokes, things.writing, things.scribble, things.strokes)[int(rng.integers(4))]
    thing(sketch, rng.uniform(0.1, 0.9, 2) * canvas.size, canvas.size * rng.uniform(0.1, 0.35))
    canvas.draw(sketch.marks, 1.0, _ORIGIN)


def _backdrop(sketch: Sketch, extent: Points) -> None:
    """Sky, grass or a wall scribbled behind everything, paler than what it surrounds."""
    rng = sketch.rng
    top, bottom = (
        (0.0, 1.0)
        if rng.random() < 0.4
        else (0.0, rng.uniform(0.2, 0.5))
        if rng.random() < 0.5
        else (rng.uniform(0.6, 0.9), 1.0)
    )
    corners = np.array([(0.0, top), (1.0, top), (1.0, bottom), (0.0, bottom)]) * extent
    colour = sketch.medium.palette(rng)
    pale = 1.0 - rng.uniform(0.15, 0.5)
    mixed = tuple(int(c + (255 - c) * pale) for c in colour)
    spacing = float(extent.max()) * rng.uniform(0.02, 0.05)
    zigzag = curves.scanline_zigzag(rng, corners, rng.uniform(-0.8, 0.8), spacing, spacing)
    sketch.line(zigzag, colour=(mixed[0], mixed[1], mixed[2]), width=rng.uniform(1.0, 1.8))


def _near_edge(rng: np.random.Generator, size: int) -> Points:
    at = rng.uniform(0, size, 2)
    axis = int(rng.integers(2))
    at[axis] = size * (rng.uniform(-0.06, 0.1) if rng.random() < 0.5 else rng.uniform(0.9, 1.06))
    return np.asarray(at, dtype=np.float64)


def _neighbour(rng: np.random.Generator, canvas: Canvas, style: Style, scale: float) -> None:
    other = draw_figure(rng, style.mix, style.medium)
    left, top, right, _ = bounds(list(other.marks))
    scale = scale * rng.uniform(0.5, 1.1)
    shown = rng.uniform(0.02, 0.09) * canvas.size
    x = canvas.size - shown - left * scale if rng.random() < 0.5 else shown - right * scale
    y = rng.uniform(0.0, 0.4) * canvas.size - top * scale
    canvas.draw(other.marks, scale, np.array([x, y]))


def _ground(sketch: Sketch, y: float, size: float) -> None:
    x = np.linspace(-0.05, 1.05, 12) * size
    rough = sketch.rng.normal(0, 0.006, 12) * size
    sketch.line(np.stack((x, y + rough), axis=1), colour=(60, 150, 60) if sketch.wants_fill() else None)


def _frame(sketch: Sketch, extent: Points) -> None:
    inset = sketch.rng.uniform(0.01, 0.06) * float(extent.max())
    (w, h) = extent - inset
    sketch.line(curves.polyline((inset, inset), (w, inset), (w, h), (inset, h), (inset, inset)))


def scatter_behind(rng: np.random.Generator, canvas: Canvas, style: Style, extent: Points) -> None:
    """Now and then a scribbled backdrop on a sheet, drawn before its figures."""
    if rng.random() < 0.05:
        sketch = Sketch(rng, style.medium, float(extent[1]) * 0.6)
        _backdrop(sketch, extent)
        canvas.draw(sketch.marks, 1.0, _ORIGIN)


def scatter(
    rng: np.random.Generator, canvas: Canvas, style: Style, extent: Points, taken: list[NDArray[np.float64]]
) -> None:
    """Things on the free parts of a sheet with figures."""
    tall = np.mean([box[3] - box[1] for box in taken]) if taken else extent[1] / 2
    sketch = Sketch(rng, style.medium, float(tall))
    if rng.random() < 0.45:
        for _ in range(int(rng.integers(1, 7))):
            size = float(extent.max()) * rng.uniform(0.08, 0.3)
            at = rng.uniform(0.02, 0.98, 2) * extent
            reach = 0.42 * size
            if all(
                (at[0] + reach < b[0])
                | (at[0] - reach > b[2])
                | (at[1] + reach < b[1])
                | (at[1] - reach > b[3])
                for b in taken
            ):
                things.THINGS[int(rng.integers(len(things.THINGS)))](sketch, at, size)
    if rng.random() < 0.08 and taken:
        _ground(sketch, float(taken[0][3]) + rng.uniform(0.0, 0.03) * float(extent.max()), float(extent[0]))
    if rng.random() < 0.05:
        _frame(sketch, extent)
    canvas.draw(sketch.marks, 1.0, _ORIGIN)


def fill_without_figures(rng: np.random.Generator, canvas: Canvas, style: Style, extent: Points) -> None:
    """A blank page, a landscape, a page of text, one thing, or scribbles."""
    kind = rng.choice(
        ["blank", "landscape", "text", "print", "one", "scribble"], p=[0.18, 0.28, 0.14, 0.1, 0.2, 0.1]
    )
    sketch = Sketch(rng, style.medium, float(extent.max()) * rng.uniform(0.3, 0.9))
    larger = float(extent.max())
    if kind == "landscape":
        for _ in range(int(rng.integers(2, 9))):
            things.THINGS[int(rng.integers(len(things.THINGS)))](
                sketch, rng.uniform(0.05, 0.95, 2) * extent, larger * rng.uniform(0.12, 0.5)
            )
        if rng.random() < 0.5:
            _ground(sketch, float(extent[1]) * rng.uniform(0.6, 0.9), float(extent[0]))
    elif kind == "text":
        for y in np.arange(0.08, 0.95, rng.uniform(0.06, 0.16)):
            if rng.random() < 0.85:
                things.writing(
                    sketch, np.array([rng.uniform(0.35, 0.6), y]) * extent, larger * rng.uniform(0.3, 0.8)
                )
    elif kind == "print":
        _printed(rng, canvas, extent)
    elif kind == "one":
        at = rng.uniform(0.3, 0.7, 2) * extent
        things.THINGS[int(rng.integers(len(things.THINGS)))](
            sketch, at, float(extent.min()) * rng.uniform(0.3, 1.1)
        )
    elif kind == "scribble":
        for _ in range(int(rng.integers(1, 5))):
            things.scribble(sketch, rng.uniform(0.2, 0.8, 2) * extent, larger * rng.uniform(0.2, 0.8))
    canvas.draw(sketch.marks, 1.0, _ORIGIN)


def fill_with_thing(rng: np.random.Generator, canvas: Canvas, style: Style, extent: Points) -> None:
    """One thing that about fills the page, now and then a second one beside it."""
    sketch = Sketch(rng, style.medium, float(extent.max()) * rng.uniform(0.5, 1.0))
    for _ in range(1 + (rng.random() < 0.3)):
        at = rng.uniform(0.4, 0.6, 2) * extent
        thing = things.THINGS[int(rng.integers(len(things.THINGS)))]
        thing(sketch, at, float(extent.min()) * rng.uniform(0.8, 1.5))
    canvas.draw(sketch.marks, 1.0, _ORIGIN)


def _printed(rng: np.random.Generator, canvas: Canvas, extent: Points) -> None:
    """Lines of type."""
    letters = np.array(list("abcdefghiklmnoprstuvw ABCDEFGHIJKLMNOPRSTUVW 0123456789 ,."))
    height = float(extent.max()) * rng.uniform(0.02, 0.07)
    font = int(
        rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX])
    )
    for y in np.arange(2 * height, float(extent[1]) - height, height * rng.uniform(1.5, 2.4)):
        text = "".join(letters[rng.integers(0, len(letters), int(rng.integers(4, 60)))])
        canvas.write(text, np.array([height, y]), height, font)
