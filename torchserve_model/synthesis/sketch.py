"""A sketch: marks laid down one after another by an unsteady hand, in figure units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from torchserve_model.synthesis import curves
from torchserve_model.synthesis.curves import Points
from torchserve_model.synthesis.medium import Colour, Medium


@dataclass(frozen=True)
class Mark:
    """One mark on the page.

    points : (N, 2) float64. colour : RGB; None for a mark on the mask alone; white areas hide what is below.
    width : line width; 0 for a filled area. in_mask : whether the mark belongs to the figure's mask.
    part : what it is a part of, one of labels.PARTS.
    """

    points: Points
    colour: Colour | None
    width: float = 0.0
    in_mask: bool = True
    part: str = "torso"


WHITE: Colour = (255, 255, 255)


class Sketch:
    """Collects the marks of one figure or thing, drawn with one medium.

    scale : size of the thing in the units of its coordinates, to which the medium's lengths are relative.
    """

    def __init__(self, rng: np.random.Generator, medium: Medium, scale: float = 1.0) -> None:
        self.rng = rng
        self.medium = medium
        self.scale = scale
        self.marks: list[Mark] = []
        self._part = "torso"

    @contextmanager
    def drawing(self, part: str) -> Iterator[None]:
        """Whatever is drawn meanwhile is of that part of the figure."""
        before, self._part = self._part, part
        yield
        self._part = before

    def line(
        self, points: Points, *, width: float = 1.0, colour: Colour | None = None, steady: float = 1.0
    ) -> Points:
        """Draw along a path; returns it as the hand took it. `width`, `steady` scale the medium's."""
        m, rng = self.medium, self.rng
        path = self._by_hand(points, steady)
        ink = colour or m.ink
        w = m.width * self.scale * width
        pieces = self._gapped(path)
        for piece in pieces:
            self._trace(piece, ink, w)
        if len(pieces) > 1:
            # the pen skipped, yet the limb goes on: masks stay in one piece
            self._lay(path, None, w)
        for _ in range(m.repeats - 1):
            if rng.random() < 0.6:
                self._trace(self._by_hand(points, steady * 1.2), ink, w)
        return path

    def shape(
        self, outline: Points, *, fill: Colour | None = None, hide: bool = False, line: Colour | None = None,
        width: float = 1.0, edge: bool = True, steady: float = 1.0,
    ) -> Points:  # fmt: skip
        """Draw a closed outline; its inside joins the mask. `hide` covers what was drawn below."""
        rng, m = self.rng, self.medium
        start = int(rng.integers(len(outline)))
        path = self._by_hand(np.concatenate((outline[start:], outline[: start + 1])), steady)
        if len(path) > 3 and not m.angular:
            # a hand seldom comes back to where it began, nor stops there
            run = np.linspace(0.0, 1.0, len(path))[:, None]
            path = path + (run - 0.5) * rng.normal(size=2) * m.wobble * self.scale * 1.5
        self._lay(path, WHITE if hide else None)
        if fill is not None:
            self._fill(path, fill)
        if edge:
            ends = path
            if rng.random() < m.overshoot * 10:
                ends = np.concatenate((path, path[1 : 1 + max(1, len(path) // 12)]))
            ink = line or m.ink
            for piece in self._gapped(ends):
                self._trace(piece, ink, m.width * self.scale * width)
            if m.repeats > 1 and rng.random() < 0.6:
                for _ in range(m.repeats - 1):
                    self._trace(
                        self._by_hand(curves.close(outline), steady * 1.5), ink, m.width * self.scale * width
                    )
        return path

    def dot(self, centre: Points, radius: float, colour: Colour | None = None) -> None:
        """A filled spot."""
        self._lay(curves.arc(centre, radius, radius, count=10), colour or self.medium.ink)

    def cover(self, outline: Points) -> None:
        """Add an area to the mask without drawing."""
        self._lay(outline, None)

    def label(self, outline: Points) -> None:
        """Name an area of what is drawn already; neither ink nor mask."""
        self.marks.append(Mark(outline, None, 0.0, in_mask=False, part=self._part))

    def wants_fill(self) -> bool:
        """Whether this part gets filled."""
        return bool(self.rng.random() < self.medium.fill_chance)

    def some_fill(self) -> Colour | None:
        """A colour of the palette for a part that gets filled."""
        return self.medium.palette(self.rng) if self.wants_fill() else None

    def _lay(self, points: Points, colour: Colour | None, width: float = 0.0) -> None:
        self.marks.append(Mark(points, colour, width, part=self._part))

    def _by_hand(self, points: Points, steady: float) -> Points:
        m, rng = self.medium, self.rng
        total = curves.length(points)
        if m.angular and len(points) > 8:
            tolerance = min(0.035 * total, 0.03 * self.scale)
            rough = cv2.approxPolyDP(points.astype(np.float32)[:, None], tolerance, closed=False)[:, 0]
            points = np.asarray(rough, dtype=np.float64)
        count = int(np.clip(total / (0.014 * self.scale), 3, 90))
        path = curves.resample(points, count)
        knots = int(np.clip(total / (m.knot * self.scale), 2, 30)) + 1
        amplitude = min(m.wobble * self.scale, 0.12 * total) * steady
        return path + curves.drift(rng, count, knots) * amplitude

    def _gapped(self, path: Points) -> list[Points]:
        m, rng = self.medium, self.rng
        if len(path) < 12 or rng.random() >= m.gap_chance:
            return [path]
        at = int(rng.integers(3, len(path) - 4))
        gap = int(rng.integers(1, max(2, len(path) // 10)))
        return [p for p in (path[:at], path[at + gap :]) if len(p) > 1]

    def _trace(self, path: Points, ink: Colour, width: float) -> None:
        pressure = self.medium.pressure
        if pressure <= 0.05 or len(path) < 8:
            self._lay(path, ink, width)
            return
        pieces = max(2, len(path) // 8)
        cuts = np.linspace(0, len(path) - 1, pieces + 1).astype(int)
        widths = width * (1.0 + pressure * 0.6 * self.rng.normal(size=pieces)).clip(0.5, 1.6)
        for a, b, w in zip(cuts[:-1], cuts[1:], widths, strict=True):
            self._lay(path[a : b + 1], ink, float(w))

    def _fill(self, path: Points, fill: Colour) -> None:
        m, rng = self.medium, self.rng
        style = m.fill
        if style == "solid":
            self._lay(path, fill)
            return
        if style == "scribble" and rng.random() < 0.4:
            pale = tuple(int(255 - (255 - c) * 0.6) for c in fill)
            self._lay(path, (pale[0], pale[1], pale[2]))
        spacing = m.spacing * self.scale
        stray = spacing * rng.uniform(0.0, 0.6)
        zigzag = curves.scanline_zigzag(
            rng, path[:: max(1, len(path) // 40)], rng.uniform(-1.2, 1.2), spacing, stray
        )
        width = m.width * self.scale * (1.0 if style == "scribble" else 0.8)
        self._lay(zigzag, fill, max(width, spacing * rng.uniform(0.3, 1.0) if style == "scribble" else width))


def bounds(marks: list[Mark]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of all marks, line widths included; figure units."""
    boxes = np.array([
        (*(mark.points.min(axis=0) - mark.width / 2), *(mark.points.max(axis=0) + mark.width / 2))
        for mark in marks
        if mark.in_mask
    ])  # fmt: skip
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    return float(left), float(top), float(right), float(bottom)
