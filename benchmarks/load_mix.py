"""What the clients of the load test ask for: drawings and motions, a few of them for the second time."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Sequence

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from benchmarks.open_loop import Call
from torchserve_model.synthesis.sample import draw_sheet

SHEETS = 24
"""Different pictures. Each request gets one of them as a file of its own, so that nothing is found ready."""

DRAWN_PX, PHOTOGRAPH_PX = 1024, 1600
SENSOR_NOISE = 4.0
"""Standard deviation, as in benchmarks.request."""

MOTIONS_A_REQUEST = {1: 0.3, 2: 0.2, 3: 0.5}
"""How many motions a request names, and how often; three are what the mobile app asks for."""

REPEATS = 0.1
"""Share of requests that were made before."""


class Mix:
    """Yields requests. Safe to call from several threads."""

    def __init__(self, motions: Sequence[str], rng: np.random.Generator) -> None:
        """Draw the sheets; motions : names among which requests choose."""
        self._motions = list(motions)
        self._rng = rng
        self._lock = threading.Lock()
        self._sheets = [_photograph(rng) for _ in range(SHEETS)]
        self._numbers = itertools.count()
        self._asked: list[Call] = []

    def one_of_each(self) -> list[Call]:
        """Make a request for each sheet."""
        return [self._new_call() for _ in self._sheets]

    def keep(self, wanted: Sequence[bool]) -> None:
        """Go on with some of the sheets: those, say, in which the models see a figure."""
        self._sheets = [sheet for sheet, is_wanted in zip(self._sheets, wanted, strict=True) if is_wanted]

    def next(self) -> Call:
        """Make the next request."""
        with self._lock:
            if self._asked and self._rng.random() < REPEATS:
                return self._asked[self._rng.integers(len(self._asked))]
            call = self._new_call()
            # No more than could be stored by now, for most of these: the oldest hundred.
            if len(self._asked) < 100:
                self._asked.append(call)
            return call

    def _new_call(self) -> Call:
        number = next(self._numbers)
        image = _with_comment(self._sheets[number % len(self._sheets)], f"{number}".encode())
        count = self._rng.choice(list(MOTIONS_A_REQUEST), p=list(MOTIONS_A_REQUEST.values()))
        motions = ",".join(self._rng.choice(self._motions, count, replace=False))
        request = requests.Request(
            "POST", "http://server/v1/animations", files={"image": image}, data={"motions": motions}
        ).prepare()
        body = request.body
        if not isinstance(body, bytes):
            raise TypeError(f"a form's body: expected bytes, came {type(body).__name__}")
        return Call("POST", "/v1/animations", body, request.headers["Content-Type"])


def _photograph(rng: np.random.Generator) -> bytes:
    """Draw a sheet with one figure or more, photographed by a phone that reduces its pictures."""
    while not (sheet := draw_sheet(rng, DRAWN_PX)).figures:
        continue
    image: NDArray[np.uint8] = sheet.image
    large = Image.fromarray(image).resize((PHOTOGRAPH_PX, PHOTOGRAPH_PX), Image.Resampling.BICUBIC)
    noisy = np.asarray(large, np.float32) + rng.normal(0, SENSOR_NOISE, (PHOTOGRAPH_PX, PHOTOGRAPH_PX, 3))
    out = io.BytesIO()
    Image.fromarray(np.clip(noisy.round(), 0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """Put a comment behind a JPEG's first marker: the same picture, another file."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
