"""GIF's variant of LZW: compressing one frame's palette indices.

The code stream and its rules are those of appendix F of the GIF89a specification (CompuServe, 1990).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_HASH_BITS = 13
_LARGEST_BLOCK = 255


def compress(indices: NDArray[np.uint8], bits: int) -> bytes:
    """Compress palette indices.

    indices : (h, w) or (n,) uint8, all below 2 ** bits; rows from the top. bits : 2 to 8.
    Returns the image data of a frame: the byte that states the code size, the sub-blocks, and their end.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits: want 2 to 8, got {bits}")
    flat = np.ascontiguousarray(indices, dtype=np.uint8).reshape(-1)
    # at worst each pixel costs a code of twelve bits, and few are clear codes
    codes = np.zeros(2 * len(flat) + 16, np.uint8)
    codes = codes[: _encode(flat, bits, codes)]
    n_full = len(codes) // _LARGEST_BLOCK
    full = np.zeros((n_full, _LARGEST_BLOCK + 1), np.uint8)
    full[:, 0] = _LARGEST_BLOCK
    full[:, 1:] = codes[: n_full * _LARGEST_BLOCK].reshape(n_full, _LARGEST_BLOCK)
    rest = codes[n_full * _LARGEST_BLOCK :].tobytes()
    last = bytes([len(rest)]) + rest if rest else b""
    return bytes([bits]) + full.tobytes() + last + b"\0"


@njit(nogil=True, cache=True)
def _encode(indices: NDArray[np.uint8], bits: int, out: NDArray[np.uint8]) -> int:
    """Write the code stream and return its length in bytes."""
    clear, end = 1 << bits, (1 << bits) + 1
    slots_mask = (1 << _HASH_BITS) - 1
    # The dictionary is a hash table with open addressing. An entry holds a string (its prefix's code and
    # its last pixel) in the high twenty bits and the code of the string in the low twelve. Zero is free:
    # no string is code 0.
    table = np.zeros(1 << _HASH_BITS, np.uint32)
    width, following = bits + 1, end + 1
    buffer, filled, position = clear, width, 0  # a stream opens with a clear code
    n_pixels = len(indices)
    prefix = int(indices[0]) if n_pixels > 0 else end
    for k in range(1, n_pixels + 1):
        slot, key = 0, 0
        if k < n_pixels:
            pixel = int(indices[k])
            key = (prefix << 8) | pixel
            slot = ((key * 2654435761) >> 12) & slots_mask
            entry = int(table[slot])
            while entry != 0 and entry >> 12 != key:
                slot = (slot + 1) & slots_mask
                entry = int(table[slot])
            if entry != 0:
                prefix = entry & 0xFFF
                continue
        buffer |= prefix << filled
        filled += width
        if following < 4096:
            if k < n_pixels:
                table[slot] = (key << 12) | following
            # the reader learns a string one code later, so it widens its codes one later too
            if following == 1 << width and width < 12:
                width += 1
            following += 1
        else:
            buffer |= clear << filled
            filled += width
            table[:] = 0
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
