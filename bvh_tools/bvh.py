"""Reading and writing BVH files.

Position channels give a joint's whole local translation and stand in place of its OFFSET, on that axis, for
the root and for any other joint; rotation channels turn in the order in which they are listed. A file that
is cut short or malformed is refused with the line at fault.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.errors import BvhError

POSITION_CHANNELS = ("Xposition", "Yposition", "Zposition")
ROTATION_CHANNELS = ("Xrotation", "Yrotation", "Zrotation")
_CHANNELS = {name.lower(): name for name in (*POSITION_CHANNELS, *ROTATION_CHANNELS)}
MAX_BYTES = 100_000_000
"""Largest file that is read; an hour of motion capture is half as large."""

MAX_POSES = 10_000_000
"""Most frames times joints. Joints may have no channels, so the numbers in a file do not bound them."""

_LEFT_OUT_DEG = 1e-4  # a rotation this small about an axis without a channel is rounding, not motion


def read_bvh(path: str | os.PathLike[str]) -> Clip:
    """Read a BVH file.

    Raises BvhError for a file that is not whole and well-formed or is larger than MAX_BYTES, OSError as open
    does.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BvhError(f"{path}: expected at most {MAX_BYTES} bytes, the file is longer; cut it in pieces")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # only names can hold such bytes; latin-1 reads any of them
    return parse_bvh(text, source=str(path))


def write_bvh(clip: Clip, path: str | os.PathLike[str]) -> None:
    """Write a BVH file at once or not at all: to a file beside it that then takes its name."""
    write_atomically(format_bvh(clip).encode(), path)


def write_atomically(data: bytes, path: str | os.PathLike[str]) -> None:
    """Write bytes to a temporary file in the same folder, then rename it to `path`."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files private
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# -- reading --------------------------------------------------------------------------------------------


class _Lines:
    """The lines that say something, each with its number; braces stand on lines of their own."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.lines = text.splitlines()
        self.last = len(self.lines)
        self._pieces = self._split()

    def _split(self) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(self.lines, 1):
            for piece in line.replace("{", "\n{\n").replace("}", "\n}\n").split("\n"):
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
    repeated joint names, non-finite numbers, a frame time that is not positive, or more than MAX_POSES.
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
    translations, rotations = _from_channels(skeleton, values)
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
    if frame_time <= 0.0:
        raise lines.fail(number, "a Frame Time above 0 seconds, such as 0.033333", value.strip())
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


def _rotation_order(channels: tuple[str, ...]) -> str:
    return "".join(name[0] for name in channels if name in ROTATION_CHANNELS)


def _from_channels(
    skeleton: Skeleton, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Channel values (N, C) to translations (N, J, 3) and rotations (N, J, 4)."""
    n_frames = len(values)
    translations = np.tile(skeleton.offsets, (n_frames, 1, 1))
    rotations = quat.identity(n_frames, skeleton.n_joints)
    column = 0
    for joint, channels in enumerate(skeleton.channels):
        turns = []
        for name in channels:
            if name in POSITION_CHANNELS:
                translations[:, joint, POSITION_CHANNELS.index(name)] = values[:, column]
            else:
                turns.append(column)
            column += 1
        if turns:
            rotations[:, joint] = quat.from_euler(values[:, turns], _rotation_order(channels))
    return translations, quat.unroll(rotations)


# -- writing --------------------------------------------------------------------------------------------


def format_bvh(clip: Clip) -> str:
    """The text of a BVH file: six decimals, tabs, Unix line ends. `parse_bvh` reads the same clip back.

    Raises BvhError for a clip that moves in a way its channels cannot say, or holds non-finite numbers.
    """
    if not (np.isfinite(clip.translations).all() and np.isfinite(clip.rotations).all()):
        raise BvhError("expected finite translations and rotations, got NaN or infinity")
    if clip.n_frames < 1 or not (math.isfinite(clip.frame_time) and clip.frame_time > 0.0):
        raise BvhError(
            "expected at least one frame and a frame time above 0 seconds, "
            f"got {clip.n_frames} frames of {clip.frame_time} s"
        )
    values = _to_channels(clip)
    rows = [" ".join(map(_decimal, row)) for row in values.tolist()]
    head = ["MOTION", f"Frames: {clip.n_frames}", f"Frame Time: {clip.frame_time!r}"]
    return "\n".join(["HIERARCHY", *_format_hierarchy(clip.skeleton), *head, *rows]) + "\n"


def _decimal(value: float) -> str:
    text = f"{value:.6f}"
    return "0.000000" if text == "-0.000000" else text


def _format_hierarchy(skeleton: Skeleton) -> list[str]:
    lines: list[str] = []
    path: list[int] = []
    for joint, parent in enumerate(skeleton.parents):
        while path and path[-1] != parent:
            path.pop()
            lines.append("\t" * len(path) + "}")
        tabs = "\t" * len(path)
        channels = skeleton.channels[joint]
        lines += [
            f"{tabs}{'JOINT' if path else 'ROOT'} {skeleton.names[joint]}",
            f"{tabs}{{",
            f"{tabs}\tOFFSET {' '.join(map(_decimal, skeleton.offsets[joint].tolist()))}",
            f"{tabs}\t{' '.join(['CHANNELS', str(len(channels)), *channels])}",
        ]
        path.append(joint)
        if joint in skeleton.end_sites:
            offset = " ".join(map(_decimal, skeleton.end_sites[joint]))
            lines += [f"{tabs}\tEnd Site", f"{tabs}\t{{", f"{tabs}\t\tOFFSET {offset}", f"{tabs}\t}}"]
    lines += ["\t" * depth + "}" for depth in range(len(path) - 1, -1, -1)]
    return lines


def _to_channels(clip: Clip) -> NDArray[np.float64]:
    """Channel values (N, C), the inverse of `_from_channels`."""
    columns = []
    for joint, channels in enumerate(clip.skeleton.channels):
        name = clip.skeleton.names[joint]
        fixed = [axis for axis, channel in enumerate(POSITION_CHANNELS) if channel not in channels]
        drift = np.abs(clip.translations[:, joint, fixed] - clip.skeleton.offsets[joint, fixed])
        if drift.size and drift.max() > 1e-6 * max(1.0, float(np.abs(clip.skeleton.offsets).max())):
            raise BvhError(f"joint {name!r} moves away from its offset, but has no position channels for it")
        order = _rotation_order(channels)
        full = order + "".join(letter for letter in "XYZ" if letter not in order)
        angles = quat.to_euler(clip.rotations[:, joint], full)
        if len(order) < 3 and np.abs(angles[:, len(order) :]).max() > _LEFT_OUT_DEG:
            raise BvhError(f"joint {name!r} turns about an axis for which it has no rotation channel")
        for channel in channels:
            if channel in POSITION_CHANNELS:
                columns.append(clip.translations[:, joint, POSITION_CHANNELS.index(channel)])
            else:
                columns.append(angles[:, full.index(channel[0])])
    return np.stack(columns, axis=1) if columns else np.zeros((clip.n_frames, 0))
