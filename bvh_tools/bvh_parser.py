"""From a BVH file's text to a clip. What is cut short or malformed is refused with the line at fault."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bvh_tools.channels import POSITION_CHANNELS, ROTATION_CHANNELS, from_channels
from bvh_tools.clip import FRAME_TIMES, MAX_POSES, Clip, Skeleton
from bvh_tools.errors import BvhError

_CHANNELS = {name.lower(): name for name in (*POSITION_CHANNELS, *ROTATION_CHANNELS)}

BRACES = re.compile(r"(?<![^\x00-\x7f])[{}]+")
"""Alone or behind a word, as some programs write them. Behind a byte above 0x7f they are none: there they are
the second half of a letter in one of East Asia's older encodings.
"""


class _Lines:
    """The pieces of lines that say something, each with the line's number."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        # str.splitlines would also break at bytes of old encodings, such as 0x85
        self.lines = re.sub(r"\r\n?", "\n", text).removesuffix("\n").split("\n")
        self.last = len(self.lines)
        self._pieces = self._split()

    def _split(self) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(self.lines, 1):
            for piece in BRACES.sub(_on_lines_of_their_own, line).split("\n"):
                stripped = piece.strip()
                if stripped:
                    yield number, stripped

    def next(self, expected: str) -> tuple[int, str]:
        """The next piece, or an error that names what should have come."""
        for piece in self._pieces:
            return piece
        raise BvhError(f"{self.source}: expected {expected}, but the file ends at line {self.last}")

    def fail(self, number: int, expected: str, came: str) -> BvhError:
        """An error that names the line, what should have come and what did."""
        shown = came if len(came) <= 60 else came[:57] + "..."
        return BvhError(f"{self.source}:{number}: expected {expected}, got {shown!r}")

    def number(self, number: int, word: str, what: str) -> float:
        """A finite number."""
        try:
            value = float(word)
        except ValueError:
            raise self.fail(number, f"a number for {what}", word) from None
        if not math.isfinite(value) or "_" in word:
            raise self.fail(number, f"a finite number for {what}", word)
        return value


def _on_lines_of_their_own(braces: re.Match[str]) -> str:
    return "\n" + "\n".join(braces[0]) + "\n"


@dataclass
class _Hierarchy:
    names: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, float, float]] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)
    end_sites: dict[int, tuple[float, float, float]] = field(default_factory=dict)


def parse_bvh(text: str, source: str = "BVH text") -> Clip:
    """Parse a BVH file's text.

    source : what to call the text in errors, such as its path.
    Raises BvhError, naming the line, for text that is cut short, malformed, or holds several roots,
    repeated joint names, non-finite numbers, a frame time outside FRAME_TIMES, or more than MAX_POSES.
    """
    lines = _Lines(text.removeprefix("\ufeff"), source)
    number, word = lines.next("HIERARCHY")
    if word.upper() != "HIERARCHY":
        raise lines.fail(number, "HIERARCHY, as a BVH file begins", word)
    skeleton = _parse_hierarchy(lines)
    n_frames, frame_time, number = _parse_motion_head(lines)
    if n_frames * skeleton.n_joints > MAX_POSES:
        raise lines.fail(
            number - 1,
            f"at most {MAX_POSES} frames times joints",
            f"{n_frames} frames of {skeleton.n_joints} joints",
        )
    values = _parse_frames(lines, number, n_frames, sum(len(c) for c in skeleton.channels))
    translations, rotations = from_channels(skeleton, values)
    return Clip(skeleton, translations, rotations, frame_time)


def _parse_hierarchy(lines: _Lines) -> Skeleton:
    """Read from ROOT up to and including the line MOTION."""
    h = _Hierarchy()
    number, line = lines.next("ROOT and a joint name")
    _open_joint(lines, h, number, line, "ROOT", parent=-1)
    path = [0]
    while path:
        number, line = lines.next(f"JOINT, End Site or }} to close {h.names[path[-1]]!r}")
        words = line.upper().split()
        if line == "}":
            path.pop()
        elif words[0] == "JOINT":
            _open_joint(lines, h, number, line, "JOINT", parent=path[-1])
            path.append(len(h.names) - 1)
        elif words[:2] == ["END", "SITE"]:
            if path[-1] in h.end_sites:
                raise lines.fail(number, f"one End Site for {h.names[path[-1]]!r}", "a second")
            h.end_sites[path[-1]] = _parse_end_site(lines)
        else:
            raise lines.fail(number, f"JOINT, End Site or }} to close {h.names[path[-1]]!r}", line)
    number, line = lines.next("MOTION")
    if line.upper().split()[0] == "ROOT":
        raise lines.fail(number, "one ROOT; split the file into one for each figure", line)
    if line.upper() != "MOTION":
        raise lines.fail(number, "MOTION", line)
    return Skeleton(
        names=tuple(h.names),
        parents=np.array(h.parents, dtype=np.int64),
        offsets=np.array(h.offsets, dtype=np.float64),
        channels=tuple(h.channels),
        end_sites=h.end_sites,
    )


def _open_joint(lines: _Lines, h: _Hierarchy, number: int, line: str, keyword: str, parent: int) -> None:
    head, _, name = line.replace("\t", " ").partition(" ")
    name = name.strip()
    if head.upper() != keyword or not name:
        raise lines.fail(number, f"{keyword} and a joint name", line)
    if name in h.taken:
        raise lines.fail(number, "every joint name once; rename one of the two", name)
    _expect_open(lines, name)
    h.names.append(name)
    h.taken.add(name)
    h.parents.append(parent)
    h.offsets.append(_parse_offset(lines, name))
    h.channels.append(_parse_channels(lines, name))


def _expect_open(lines: _Lines, name: str) -> None:
    number, line = lines.next(f"{{ after {name!r}")
    if line != "{":
        raise lines.fail(number, f"{{ after {name!r}", line)


def _parse_offset(lines: _Lines, name: str) -> tuple[float, float, float]:
    expected = f"OFFSET and three numbers for {name!r}"
    number, line = lines.next(expected)
    words = line.split()
    if words[0].upper() != "OFFSET" or len(words) != 4:
        raise lines.fail(number, expected, line)
    x, y, z = (lines.number(number, word, f"the OFFSET of {name!r}") for word in words[1:])
    return x, y, z


def _parse_end_site(lines: _Lines) -> tuple[float, float, float]:
    _expect_open(lines, "End Site")
    offset = _parse_offset(lines, "End Site")
    number, line = lines.next("} to close End Site")
    if line != "}":
        raise lines.fail(number, "} to close End Site", line)
    return offset


def _parse_channels(lines: _Lines, name: str) -> tuple[str, ...]:
    expected = f"CHANNELS, how many and their names for {name!r}"
    number, line = lines.next(expected)
    words = line.split()
    count = _whole_number(words[1]) if len(words) > 1 else None
    if words[0].upper() != "CHANNELS" or count is None:
        raise lines.fail(number, expected, line)
    if len(words) - 2 != count:
        raise lines.fail(number, f"{words[1]} channel names for {name!r}, found {len(words) - 2}", line)
    channels = []
    for word in words[2:]:
        if word.lower() not in _CHANNELS:
            raise lines.fail(number, f"a channel out of {', '.join(_CHANNELS.values())}", word)
        channels.append(_CHANNELS[word.lower()])
    if len(set(channels)) != len(channels):
        raise lines.fail(number, f"each channel of {name!r} once", line)
    return tuple(channels)


def _whole_number(text: str) -> int | None:
    """Read digits; more of them than any count has are no number, and Python would not read thousands."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def _parse_motion_head(lines: _Lines) -> tuple[int, float, int]:
    """Read 'Frames:' and 'Frame Time:'. Returns the two values and the number of the second line."""
    number, line = lines.next("Frames: and a whole number")
    key, _, value = line.partition(":")
    n_frames = _whole_number(value.strip())
    if key.strip().lower() != "frames" or not n_frames:
        raise lines.fail(number, "Frames: and a whole number of at least 1", line)
    number, line = lines.next("Frame Time: and seconds")
    key, _, value = line.partition(":")
    if key.lower().split() != ["frame", "time"]:
        raise lines.fail(number, "Frame Time: and seconds", line)
    frame_time = lines.number(number, value.strip(), "Frame Time")
    if not FRAME_TIMES[0] <= frame_time <= FRAME_TIMES[1]:
        expected = (
            f"a Frame Time above 0 seconds, such as 0.033333, of {FRAME_TIMES[0]} to {FRAME_TIMES[1]:g}"
        )
        raise lines.fail(number, expected, value.strip())
    return n_frames, frame_time, number


def _parse_frames(lines: _Lines, head: int, n_frames: int, n_channels: int) -> NDArray[np.float64]:
    """Read the (n_frames, n_channels) numbers below line `head`."""
    block = lines.lines[head:]
    words = " ".join(block).split()
    try:
        values = np.array([float(word) for word in words], dtype=np.float64)
    except ValueError:
        values = np.full(1, np.nan)
    whole = len(words) == n_frames * n_channels and not any("_" in line for line in block)
    if whole and np.isfinite(values).all():
        return values.reshape(n_frames, n_channels)
    raise _blame_frame(lines, head, n_frames, n_channels)


def _blame_frame(lines: _Lines, head: int, n_frames: int, n_channels: int) -> BvhError:
    """Find the line at fault in a block of frames that did not read as a whole."""
    found = 0
    last = head
    for number, line in enumerate(lines.lines[head:], head + 1):
        words = line.split()
        if not words:
            continue
        for word in words:
            lines.number(number, word, f"frame {found + 1}")
        if len(words) != n_channels:
            return lines.fail(number, f"{n_channels} numbers, one for each channel", f"{len(words)} numbers")
        found, last = found + 1, number
    return BvhError(f"{lines.source}:{last}: expected {n_frames} frames, as Frames: says, got {found}")
