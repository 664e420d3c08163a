"""Key poses as written in YAML, read and checked.

    fps: 30
    duration: 3.2                 seconds, a whole number of frames
    loops: true                   the end leads back to the start
    lag: {Head: 0.06}             seconds by which a track trails the keys: overlap and follow-through
    poses:
      stand:
        root: [0, 94, 0]          centimetres, where the hips are
        turn: {Trunk: [5, 0, 3]}  degrees about x, y, z, in the parent's frame; Trunk bends the whole spine
        aim: {LeftArm: [1, 0, 0]}      where the bone points, in the figure's frame
        feet: {Left: [12, 8, 0]}       where the ankle is
        knees: {Left: [0.3, 0, 1]}     where the knee points
        toes: {Left: [0.3, -0.4, 1]}   where the toes point
      left: {base: stand, ...}    all of another pose, with changes
      right: {mirror: left}       left and right exchanged
    keys:
      - {at: 0.0, pose: stand, hold: 0.2}
      - {at: 0.5, aim: {...}}     keys only what it names; everything else passes through
    sway:
      - {track: Head, axis: z, amount: 8, cycles: 2, phase: 0.25}   a sine on top, whole cycles

Frame: x to the figure's left, y up, z forward; the ground is y = 0. A track that no key names rests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from bvh_tools import humanoid
from bvh_tools.clip import MAX_POSES
from bvh_tools.errors import BvhError
from bvh_tools.humanoid import ARM_JOINTS, SIDES, SPINE

Vector = tuple[float, float, float]
Pose = dict[str, Vector]  # track name -> value

_TURNED = ("Hips", "Trunk", *SPINE, "Neck", "Head", "LeftShoulder", "RightShoulder")
_AIMED = tuple(side + joint for side in SIDES for joint in ARM_JOINTS)
GROUPS: dict[str, tuple[str, ...]] = {
    "turn": _TURNED,
    "aim": _AIMED,
    "feet": SIDES,
    "knees": SIDES,
    "toes": SIDES,
}
_AXES = ("x", "y", "z")
_MAX_FRAMES = MAX_POSES // humanoid.skeleton().n_joints
# what PyYAML raises, beside its own errors, on scalars that are not what they look like, and on deep nesting
_BAD_SCALARS = (ValueError, TypeError, OverflowError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Track:
    """Keys of one value over time: times (K,) in seconds, rising, and values (K, 3)."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Sway:
    """A sine on top of a track: `amount` in its unit, about or along `axis` (0, 1, 2 for x, y, z)."""

    track: str
    axis: int
    amount: float
    cycles: int
    phase: float


@dataclass(frozen=True)
class Score:
    """An authored motion: tracks by name ("root", "turn Head", "aim LeftArm", "feet Left", ...)."""

    fps: float
    n_frames: int
    loops: bool
    tracks: dict[str, Track]
    lag: dict[str, float]
    sways: tuple[Sway, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_frames / self.fps


def parse_keys(text: str, source: str = "key poses") -> Score:
    """Read key poses. Raises BvhError, naming the entry, for anything not described above."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            # They could stand for more than any memory holds; poses have `base` to build on each other.
            raise BvhError(f"{source}: expected no aliases (*name); write out what they stand for")
        document = yaml.safe_load(text)
    except (yaml.YAMLError, *_BAD_SCALARS) as error:
        raise BvhError(f"{source}: expected YAML: {' '.join(str(error).split())}") from error
    known = ("fps", "duration", "loops", "lag", "poses", "keys", "sway")
    top = _mapping(document, source, known)
    fps = _positive(top.get("fps", 30), f"{source}: fps")
    duration = _positive(top.get("duration"), f"{source}: duration")
    if duration * fps > _MAX_FRAMES:
        raise BvhError(f"{source}: expected at most {_MAX_FRAMES} frames, got {duration} s at {fps} fps")
    n_frames = round(duration * fps)
    if n_frames < 1 or abs(n_frames - duration * fps) > 1e-6:
        raise BvhError(f"{source}: expected a whole number of frames, got {duration} s at {fps} fps")
    loops = top.get("loops", False)
    if not isinstance(loops, bool):
        raise BvhError(f"{source}: expected loops to be true or false, got {loops!r}")
    poses = _Poses(_mapping(top.get("poses", {}), f"{source}: poses"), source)
    return Score(
        fps=fps,
        n_frames=n_frames,
        loops=loops,
        tracks=_tracks(_list(top.get("keys"), f"{source}: keys"), poses, duration, loops, source),
        lag=_lags(_mapping(top.get("lag", {}), f"{source}: lag"), source),
        sways=tuple(
            _sway(entry, f"{source}: sway {i}") for i, entry in enumerate(_list(top.get("sway", []), source))
        ),
    )


def track_names() -> tuple[str, ...]:
    """Every track a key can set."""
    return ("root", *(f"{group} {name}" for group, names in GROUPS.items() for name in names))


class _Poses:
    """Named poses, resolved through base and mirror."""

    def __init__(self, entries: Mapping[str, object], source: str) -> None:
        self.entries = entries
        self.source = source

    def named(self, name: object, asking: tuple[str, ...] = ()) -> Pose:
        """The pose called `name`."""
        if not isinstance(name, str) or name not in self.entries:
            known = ", ".join(self.entries) or "none"
            raise BvhError(f"{self.source}: expected one of the poses {known}, got {name!r}")
        if name in asking:
            raise BvhError(f"{self.source}: pose {name!r} is built on itself: {' -> '.join((*asking, name))}")
        where = f"{self.source}: pose {name}"
        entry = _mapping(self.entries[name], where, ("base", "mirror", "root", *GROUPS))
        return self.resolve(entry, where, (*asking, name))

    def resolve(self, entry: Mapping[str, object], where: str, asking: tuple[str, ...] = ()) -> Pose:
        """What an entry sets: its base, or its mirror image, then its own values."""
        pose: Pose = {}
        for key in ("base", "pose"):
            if key in entry:
                pose |= self.named(entry[key], asking)
        if "mirror" in entry:
            pose |= mirrored(self.named(entry["mirror"], asking))
        if "root" in entry:
            pose["root"] = _vector(entry["root"], f"{where}: root")
        for group, names in GROUPS.items():
            values = _mapping(entry.get(group, {}), f"{where}: {group}", names)
            for name, value in values.items():
                vector = _vector(value, f"{where}: {group} {name}")
                if group in {"aim", "knees", "toes"} and not any(vector):
                    raise BvhError(f"{where}: {group} {name}: expected a direction, got zero")
                pose[f"{group} {name}"] = vector
        return pose


def mirrored(pose: Pose) -> Pose:
    """The pose with left and right exchanged."""
    swapped: Pose = {}
    for track, (x, y, z) in pose.items():
        other = track.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
        swapped[other] = (x, -y, -z) if track.startswith("turn ") else (-x, y, z)
    return swapped


def _tracks(
    entries: Iterable[object], poses: _Poses, duration: float, loops: bool, source: str
) -> dict[str, Track]:
    keyed: dict[str, dict[float, Vector]] = {}
    for i, raw in enumerate(entries):
        where = f"{source}: key {i}"
        entry = _mapping(raw, where, ("at", "hold", "pose", "mirror", "root", *GROUPS))
        at = _number(entry.get("at"), f"{where}: at")
        end = at + _number(entry.get("hold", 0.0), f"{where}: hold")
        if not 0.0 <= at <= end <= duration or (loops and end >= duration):
            limit = "below" if loops else "to"
            raise BvhError(f"{where}: expected times from 0 {limit} {duration} s, got {at} to {end}")
        for track, value in poses.resolve(entry, where).items():
            for time in {at, end}:
                if time in keyed.setdefault(track, {}):
                    raise BvhError(f"{where}: {track} has a key at {time} s already")
                keyed[track][time] = value
    if not keyed:
        raise BvhError(f"{source}: expected at least one key that sets something, got none")
    return {
        track: Track(
            np.array(sorted(keys)), np.array([keys[time] for time in sorted(keys)], dtype=np.float64)
        )
        for track, keys in keyed.items()
    }


def _lags(entries: Mapping[str, object], source: str) -> dict[str, float]:
    """Lag by track; a bare joint name means whichever of its tracks is keyed."""
    lags: dict[str, float] = {}
    for name, value in entries.items():
        matches = [track for track in track_names() if name in {track, track.partition(" ")[2]}]
        if not matches or name in SIDES:
            raise BvhError(
                f"{source}: lag: expected a joint or one of {', '.join(track_names())}, got {name!r}"
            )
        lags |= dict.fromkeys(matches, _number(value, f"{source}: lag {name}"))
    return lags


def _sway(raw: object, where: str) -> Sway:
    entry = _mapping(raw, where, ("track", "axis", "amount", "cycles", "phase"))
    name = entry.get("track")
    track = next(
        (t for t in ("root", *(f"turn {n}" for n in _TURNED)) if name in {t, t.partition(" ")[2]}), None
    )
    if track is None or entry.get("axis") not in _AXES:
        raise BvhError(
            f"{where}: expected a track out of root, {', '.join(_TURNED)} and an axis x, y or z, got {raw}"
        )
    cycles = entry.get("cycles", 1)
    if not isinstance(cycles, int) or cycles < 1:
        raise BvhError(f"{where}: expected cycles to be a whole number of at least 1, got {cycles!r}")
    return Sway(
        track=track,
        axis=_AXES.index(str(entry["axis"])),
        amount=_number(entry.get("amount"), f"{where}: amount"),
        cycles=cycles,
        phase=_number(entry.get("phase", 0.0), f"{where}: phase"),
    )


def _mapping(value: object, where: str, known: tuple[str, ...] | None = None) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BvhError(f"{where}: expected a mapping, got {value!r}")
    for key in value:
        if not isinstance(key, str) or (known is not None and key not in known):
            allowed = "text" if known is None else ", ".join(known)
            raise BvhError(f"{where}: expected keys out of {allowed}, got {key!r}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise BvhError(f"{where}: expected a list, got {value!r}")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BvhError(f"{where}: expected a finite number, got {value!r}")
    return float(value)


def _positive(value: object, where: str) -> float:
    number = _number(value, where)
    if number <= 0.0:
        raise BvhError(f"{where}: expected a number above 0, got {value!r}")
    return number


def _vector(value: object, where: str) -> Vector:
    if not isinstance(value, list) or len(value) != 3:
        raise BvhError(f"{where}: expected three numbers, got {value!r}")
    x, y, z = (_number(item, where) for item in value)
    return x, y, z
