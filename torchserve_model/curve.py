"""The losses of a run, as a table and as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE_HW = (480, 800)
_MARGIN = 50


class LossLog:
    """Appends a row a step to losses.csv and draws losses.png beside it."""

    def __init__(self, folder: Path, *, keep_until: int = 0) -> None:
        """Keep the rows of an earlier run up to step `keep_until`, forget later ones."""
        folder.mkdir(parents=True, exist_ok=True)
        self._table, self._picture = folder / "losses.csv", folder / "losses.png"
        self._rows: list[dict[str, float]] = []
        if keep_until and self._table.exists():
            with self._table.open(newline="") as file:
                rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
            self._rows = [row for row in rows if row["step"] <= keep_until]
        self._write(self._rows, mode="w")

    def add(self, step: int, terms: dict[str, float]) -> None:
        """Note one step."""
        self._rows.append({"step": float(step), **terms})
        self._write(self._rows[-1:], mode="a", header=len(self._rows) == 1)

    def draw(self) -> None:
        """Draw the curve so far."""
        if self._rows:
            steps = np.array([row["step"] for row in self._rows])
            losses = np.array([row["loss"] for row in self._rows])
            cv2.imwrite(str(self._picture), draw_curve(steps, losses))

    def _write(self, rows: list[dict[str, float]], *, mode: str, header: bool = True) -> None:
        with self._table.open(mode, newline="") as file:
            if rows:
                writer = csv.DictWriter(file, fieldnames=list(rows[0]))
                if header:
                    writer.writeheader()
                writer.writerows(rows)


def draw_curve(steps: NDArray[np.float64], losses: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Plot a loss, in grey, and its running mean, in black, against the step, both axes labelled.

    steps, losses : (N,) float64. Returns an (H, W, 3) uint8 BGR picture.
    """
    height, width = _SIZE_HW
    picture = np.full((height, width, 3), 255, np.uint8)
    window = max(1, len(losses) // 50)
    smooth = np.convolve(losses, np.full(window, 1.0 / window), mode="valid")
    low, high = float(losses.min()), float(np.percentile(losses, 99.0))
    span = max(high - low, 1e-9)

    def to_pixels(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int32]:
        across = _MARGIN + x / steps[-1] * (width - 2 * _MARGIN)
        down = height - _MARGIN - np.clip((y - low) / span, 0.0, 1.0) * (height - 2 * _MARGIN)
        return np.round(np.stack([across, down], axis=-1)).astype(np.int32)

    cv2.polylines(picture, [to_pixels(steps, losses)], False, (200, 200, 200), 1, cv2.LINE_AA)
    middle = steps[(window - 1) // 2 :][: len(smooth)]
    cv2.polylines(picture, [to_pixels(middle, smooth)], False, (0, 0, 0), 2, cv2.LINE_AA)
    corner = (width - _MARGIN, height - _MARGIN)
    cv2.rectangle(picture, (_MARGIN, _MARGIN), corner, (120, 120, 120), 1)
    labels = (
        (f"{high:.3g}", (4, _MARGIN + 5)),
        (f"{low:.3g}", (4, height - _MARGIN)),
        ("loss", (4, _MARGIN - 20)),
        (f"step {int(steps[-1])}", (width - 2 * _MARGIN - 20, height - 15)),
    )
    for text, position in labels:
        cv2.putText(picture, text, position, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    return picture
