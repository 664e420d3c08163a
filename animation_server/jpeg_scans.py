"""What scans a JPEG file has, told without decoding it.

A progressive JPEG refines the picture scan by scan, a baseline one may bring its colours scan by scan, and
every scan costs a pass over all the pixels. A scan that changes nothing is a few bytes long, so a small file
can hold enough of them to keep a core busy for minutes; decoders have no limit of their own.
"""

from __future__ import annotations

import re

# 0xff begins a marker unless it is followed by 0 (a 0xff of the data), a restart, or another 0xff (filling).
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _WITHOUT_LENGTH = 0xD8, 0xD9, 0xDA, 0x01
_MAX_MARKERS = 5_000
"""Segments are up to 64 kB long, so metadata of 20 MB need a few hundred of them."""


def colours_of_scans(data: bytes, limit: int) -> list[int]:
    """How many colours each scan holds, up to the first image's end; what follows it, a phone's video say, is
    not looked at.

    Looking ends beyond `limit` scans, and with a file of more segments than any real one, which counts as
    beyond.
    """
    scans: list[int] = []
    segments = position = 0
    while len(scans) <= limit and (match := _MARKER.search(data, position)):
        position = match.end()
        marker = match[1][0]
        if marker == _END_OF_IMAGE:
            break
        segments += 1
        if segments > _MAX_MARKERS:
            return [0] * (limit + 1)
        if marker == _START_OF_SCAN:
            scans += data[position + 2 : position + 3]
        if marker not in (_START_OF_IMAGE, _WITHOUT_LENGTH):
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
