"""Writing GIF89a: one palette, real transparency, and of each frame only the rectangle that changed.

A GIF cannot draw transparency over what is shown already; a frame can only ask that its own rectangle be
cleared once its time is over (disposal 2). So a frame's rectangle spans what it draws and what the next frame
no longer shows. Where nothing needs clearing, it is left to stand (disposal 1) and what stays is not sent
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import pack

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from animation_server.encode.lzw import compress
from animation_server.encode.palette import Palette, PaletteMap, similar_indices

_KEEP, _CLEAR = 1, 2
"""Disposal methods: leave the frame standing; clear its rectangle."""

_LONGEST_DELAY_CS = 65535


def encode_gif(
    frames: Iterable[tuple[NDArray[np.uint32], tuple[int, int, int, int]]],
    delays_cs: ArrayLike,
    palette: Palette,
    width: int,
    height: int,
    tolerance: float = 0.0,
    *,
    loops: bool = True,
) -> bytes:
    """Encode drawn frames, one at a time.

    frames : each a picture, (height, width) uint32 premultiplied RGBA, and the box left, top, right,
    bottom within which it differs from the background, which is the picture outside the first frame's box.
    delays_cs : (n,) centiseconds each frame is shown. tolerance, loops : see GifWriter.
    """
    writer, colours = GifWriter(width, height, palette, loops, tolerance), PaletteMap(palette)
    indices = np.zeros((height, width), np.uint8)
    touched = (0, 0, width, height)
    for (picture, box), delay in zip(frames, np.asarray(delays_cs).tolist(), strict=True):
        colours.to_indices(picture, indices, _union(touched, box))
        touched = box
        writer.add(indices, delay)
    return writer.finish()


def _union(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


@dataclass
class GifWriter:
    """Collects frames of palette indices and yields the file.

    width, height : pixels, 1 to 65535. palette : its colour k has index k + 1, index 0 is transparent.
    loops : whether the clip is repeated for ever.
    tolerance : largest OKLab difference by which a pixel may be changed where that saves bytes.
    """

    width: int
    height: int
    palette: Palette
    loops: bool = True
    tolerance: float = 0.0
    _chunks: list[bytes] = field(default_factory=list, init=False, repr=False)
    _shown: NDArray[np.uint8] = field(init=False, repr=False)
    _waiting: tuple[NDArray[np.uint8], int] | None = field(default=None, init=False, repr=False)
    _spare: NDArray[np.uint8] = field(init=False, repr=False)
    _similar: NDArray[np.uint8] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 65535 and 1 <= self.height <= 65535):
            raise ValueError(f"GIF: want sides of 1 to 65535 pixels, got {self.width} x {self.height}")
        self._shown = np.zeros((self.height, self.width), np.uint8)
        self._spare = np.zeros_like(self._shown)
        self._similar = similar_indices(self.palette, self.tolerance)
        self._chunks.append(self._header())

    def _header(self) -> bytes:
        bits = self.palette.bits
        table = np.zeros((1 << bits, 3), np.uint8)
        table[1 : 1 + len(self.palette.colours)] = self.palette.colours
        screen = pack("<HHBBB", self.width, self.height, 0xF0 | (bits - 1), 0, 0)
        loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0" if self.loops else b""
        return b"GIF89a" + screen + table.tobytes() + loop

    def add(self, indices: NDArray[np.uint8], delay_cs: int) -> None:
        """Append a frame.

        indices : (height, width) uint8; copied. delay_cs : how long it is shown, centiseconds. A delay longer
        than a GIF can say is spread over several frames.
        """
        if indices.shape != self._shown.shape:
            raise ValueError(f"indices: want {self._shown.shape}, got {indices.shape}")
        if delay_cs < 0:
            raise ValueError(f"delay_cs: want 0 or more, got {delay_cs}")
        while delay_cs > _LONGEST_DELAY_CS:
            self.add(indices, _LONGEST_DELAY_CS)
            delay_cs -= _LONGEST_DELAY_CS
        frame = self._spare
        frame[:] = indices
        if self._waiting is not None:
            self._write(*self._waiting, following=frame)
            self._spare = self._waiting[0]
        else:
            self._spare = np.zeros_like(frame)
        self._waiting = frame, delay_cs

    def finish(self) -> bytes:
        """The whole file. Nothing can be added afterwards. Raises ValueError if there is no frame."""
        if self._waiting is None:
            raise ValueError("GIF: want at least one frame, got none")
        # the canvas is empty when a clip starts over
        self._write(*self._waiting, following=np.zeros_like(self._shown))
        self._waiting = None
        return b"".join((*self._chunks, b";"))

    def _write(self, frame: NDArray[np.uint8], delay_cs: int, following: NDArray[np.uint8]) -> None:
        left, top, right, bottom, must_clear = _changes(self._shown, frame, following)
        pixels, is_even = _fresh(self._shown, frame, (left, top, right, bottom))
        data, written = compress(pixels, self.palette.bits, self._similar, is_even)
        _show(self._shown, written, left, top, must_clear)
        disposal = _CLEAR if must_clear else _KEEP
        control = pack("<BBBBHBB", 0x21, 0xF9, 4, disposal << 2 | 1, delay_cs, 0, 0)
        descriptor = pack("<BHHHHB", 0x2C, left, top, right - left, bottom - top, 0)
        self._chunks.append(control + descriptor + data)


@njit(nogil=True, cache=True)
def _changes(
    shown: NDArray[np.uint8], frame: NDArray[np.uint8], following: NDArray[np.uint8]
) -> tuple[int, int, int, int, bool]:
    """The rectangle left, top, right, bottom a frame must span, and whether it must be cleared afterwards."""
    height, width = shown.shape
    left, top, right, bottom = width, height, 0, 0
    must_clear = False
    for row in range(height):
        first, last = width, -1
        for column in range(width):
            now = frame[row, column]
            vanishes = now != 0 and following[row, column] == 0
            if vanishes or now != shown[row, column]:
                must_clear |= vanishes
                first = min(first, column)
                last = column
        if last >= 0:
            left, right = min(left, first), max(right, last + 1)
            top, bottom = min(top, row), row + 1
    if right == 0:
        return 0, 0, 1, 1, False  # nothing changes: a frame of one pixel that draws nothing, to pass the time
    return left, top, right, bottom, must_clear


@njit(nogil=True, cache=True)
def _fresh(
    shown: NDArray[np.uint8], frame: NDArray[np.uint8], box: tuple[int, int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What of a frame's box has to be drawn over what is shown, 0 where it is the same; and where the frame
    is even, that is like its neighbours on both sides: there a changed pixel would be seen.
    """
    left, top, right, bottom = box
    fresh = np.zeros((bottom - top, right - left), np.uint8)
    is_even = np.zeros(fresh.shape, np.bool_)
    last = frame.shape[1] - 1
    for row in range(top, bottom):
        for column in range(left, right):
            now = frame[row, column]
            if now != shown[row, column]:
                fresh[row - top, column - left] = now
                before, after = frame[row, max(column - 1, 0)], frame[row, min(column + 1, last)]
                is_even[row - top, column - left] = before == now and after == now
    return fresh, is_even


@njit(nogil=True, cache=True)
def _show(
    shown: NDArray[np.uint8], written: NDArray[np.uint8], left: int, top: int, must_clear: bool
) -> None:
    """Bring what is shown up to date after a rectangle was drawn and, perhaps, cleared."""
    for row in range(written.shape[0]):
        for column in range(written.shape[1]):
            if must_clear:
                shown[top + row, left + column] = 0
            elif written[row, column] != 0:
                shown[top + row, left + column] = written[row, column]
