"""GIF's variant of LZW: compressing one frame's palette indices.

The code stream and its rules are those of appendix F of the GIF89a specification (CompuServe, 1990).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HASH_BITS = 13
_LARGEST_BLOCK = 255


def compress(
    indices: NDArray[np.uint8],
    bits: int,
    similar: NDArray[np.uint8] | None = None,
    fixed: NDArray[np.bool_] | None = None,
) -> tuple[bytes, NDArray[np.uint8]]:
    """Compress palette indices, if asked to with some loss.

    indices : (h, w) uint8, all below 2 ** bits; rows from the top. bits : 2 to 8.
    similar : (2 ** bits, k) uint8. Where the dictionary has no string that goes on with index i, one that
    goes on with similar[i, 0], similar[i, 1], ... is taken instead. Rows are filled up with i itself. None
    changes nothing.
    fixed : (h, w) bool, pixels that are not changed. None fixes none.

    Returns the image data of a frame (the byte that states the code size, the sub-blocks, and their end)
    and the indices (h, w) that it will be read as.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits: want 2 to 8, got {bits}")
    written = np.array(indices, dtype=np.uint8, order="C")
    flat = written.reshape(-1)
    if similar is None:
        similar = np.zeros((1 << bits, 0), np.uint8)
    if fixed is None:
        fixed = np.zeros(written.shape, dtype=bool)
    # at worst each pixel costs a code of twelve bits, and few are clear codes
    codes = np.zeros(2 * len(flat) + 16, np.uint8)
    codes = codes[: _encode(flat, bits, similar, np.ascontiguousarray(fixed).reshape(-1), codes)]
    n_full = len(codes) // _LARGEST_BLOCK
    full = np.zeros((n_full, _LARGEST_BLOCK + 1), np.uint8)
    full[:, 0] = _LARGEST_BLOCK
    full[:, 1:] = codes[: n_full * _LARGEST_BLOCK].reshape(n_full, _LARGEST_BLOCK)
    rest = codes[n_full * _LARGEST_BLOCK :].tobytes()
    last = bytes([len(rest)]) + rest if rest else b""
    return bytes([bits]) + full.tobytes() + last + b"\0", written


@njit(nogil=True, cache=True)
def _encode(  # noqa: C901 -- the coder's state is shared by all of its steps
    indices: NDArray[np.uint8],
    bits: int,
    similar: NDArray[np.uint8],
    fixed: NDArray[np.bool_],
    out: NDArray[np.uint8],
) -> int:
    """Write the code stream, change `indices` to what it says, and return its length in bytes."""
    clear, end = 1 << bits, (1 << bits) + 1
    # The dictionary is a hash table with open addressing. An entry holds a string (its prefix's code and
    # its last pixel) in the high twenty bits and the code of the string in the low twelve. Zero is free:
    # no string is code 0.
    table = np.zeros(1 << _HASH_BITS, np.uint32)
    # Which pixels strings go on with, and which are similar, as bits (of the index modulo 64): they tell
    # at once when looking for a similar string is in vain, which is the rule.
    one = np.uint64(1)
    children = np.zeros(4096, np.uint64)
    alike = np.zeros(1 << bits, np.uint64)
    for pixel in range(1 << bits):
        for alternative in similar[pixel]:
            if alternative != pixel:
                alike[pixel] |= one << np.uint64(alternative & 63)
    width, following = bits + 1, end + 1
    buffer, filled, position = clear, width, 0  # a stream opens with a clear code
    n_pixels = len(indices)
    prefix = int(indices[0]) if n_pixels > 0 else end
    for k in range(1, n_pixels + 1):
        slot, key = 0, 0
        if k < n_pixels:
            pixel = int(indices[k])
            key = (prefix << 8) | pixel
            slot = _find(table, key)
            entry = int(table[slot])
            if entry == 0 and not fixed[k] and alike[pixel] & children[prefix] != 0:
                for alternative in similar[pixel]:
                    if (children[prefix] >> np.uint64(alternative & 63)) & one == 0:
                        continue
                    entry = int(table[_find(table, (prefix << 8) | int(alternative))])
                    if entry != 0:
                        indices[k] = alternative
                        break
            if entry != 0:
                prefix = entry & 0xFFF
                continue
        buffer |= prefix << filled
        filled += width
        if following < 4096:
            if k < n_pixels:
                table[slot] = (key << 12) | following
                children[prefix] |= one << np.uint64(pixel & 63)
            # the reader learns a string one code later, so it widens its codes one later too
            if following == 1 << width and width < 12:
                width += 1
            following += 1
        else:
            buffer |= clear << filled
            filled += width
            table[:] = 0
            children[:] = 0
            width, following = bits + 1, end + 1
        while filled >= 8:
            out[position] = buffer & 255
            position += 1
            buffer >>= 8
            filled -= 8
        if k < n_pixels:
            prefix = int(indices[k])
    buffer |= end << filled
    filled += width
    while filled > 0:
        out[position] = buffer & 255
        position += 1
        buffer >>= 8
        filled -= 8
    return position


@njit(nogil=True, cache=True, inline="always")
def _find(table: NDArray[np.uint32], key: int) -> int:
    """The slot of a string, or the free one where it belongs."""
    slot = ((key * 2654435761) >> 12) & ((1 << _HASH_BITS) - 1)
    entry = int(table[slot])
    while entry != 0 and entry >> 12 != key:
        slot = (slot + 1) & ((1 << _HASH_BITS) - 1)
        entry = int(table[slot])
    return slot
