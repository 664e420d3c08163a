"""Key poses to a clip.

Every track is a monotone cubic through its keys (Fritsch and Carlson 1980, SciPy's PCHIP): it eases in and
out of extremes, never overshoots a key, and holds still between two equal ones. In a looping motion the
curve runs on through the seam. Arms are then aimed, legs bent to where the feet are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from bvh_tools import humanoid
from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.errors import BvhError
from bvh_tools.humanoid import SIDES, SPINE
from bvh_tools.keys import Score, Track, parse_keys

Array = NDArray[np.float64]

_FOOT_REST = {"Left": (9.0, 8.0, 0.0), "Right": (-9.0, 8.0, 0.0)}
_ROOT_REST = (0.0, 94.0, 0.0)
_FORWARD = (0.0, 0.0, 1.0)
_TURN_ORDER = "ZXY"
_NO_DIRECTION = 1e-9


def build_clip(text: str, source: str = "key poses") -> Clip:
    """Build the clip that key poses (`bvh_tools.keys`) describe. Raises BvhError if they cannot be used."""
    return perform(parse_keys(text, source))


def perform(score: Score) -> Clip:
    """Build the clip of a score. Raises BvhError for directions that pass through zero between their keys."""
    skeleton = humanoid.skeleton()
    n = score.n_frames
    translations = np.tile(skeleton.offsets, (n, 1, 1))
    local = quat.identity(n, skeleton.n_joints)
    world = quat.identity(n, skeleton.n_joints)
    positions = np.zeros((n, skeleton.n_joints, 3))
    translations[:, 0] = _values(score, "root", _ROOT_REST)
    targets = {side: _Leg.read(score, side) for side in SIDES}
    for joint, name in enumerate(skeleton.names):
        parent = int(skeleton.parents[joint])
        if parent < 0:
            positions[:, joint] = translations[:, joint]
            above = quat.identity(n)
        else:
            above = world[:, parent]
            positions[:, joint] = positions[:, parent] + quat.mul_vec(above, translations[:, joint])
        side = next((s for s in SIDES if name.startswith(s)), None)
        if side and name.removeprefix(side) in humanoid.LEG_JOINTS:
            toward = targets[side].directions(name.removeprefix(side), positions[:, joint], skeleton)
        else:
            toward = _aimed(score, name)
        if toward is None:
            local[:, joint] = quat.from_euler(_turns(score, name)[:, [2, 0, 1]], _TURN_ORDER)
        else:
            rest = skeleton.offsets[_child(skeleton, joint)]
            local[:, joint] = humanoid.aim(rest, quat.mul_vec(quat.inverse(above), toward))
        world[:, joint] = quat.mul(above, local[:, joint])
    return Clip(skeleton, translations, quat.unroll(local), 1.0 / score.fps)


def _child(skeleton: Skeleton, joint: int) -> int:
    return int(np.flatnonzero(skeleton.parents == joint)[0])


def _turns(score: Score, name: str) -> Array:
    """Degrees about x, y, z (N, 3) by which a joint turns; the spine's joints share the trunk's bend."""
    turns = _values(score, f"turn {name}", (0.0, 0.0, 0.0))
    if name in SPINE:
        turns = turns + _values(score, "turn Trunk", (0.0, 0.0, 0.0)) / len(SPINE)
    return turns


def _aimed(score: Score, name: str) -> Array | None:
    """Where a joint's bone points, (N, 3), or None if no key aims it."""
    track = f"aim {name}"
    return _directions(score, track, _FORWARD) if track in score.tracks else None


class _Leg:
    """Where one leg should go: ankle (N, 3), pole of the knee (N, 3) and toes (N, 3)."""

    def __init__(self, side: str, ankle: Array, pole: Array, toes: Array) -> None:
        self.side, self.ankle, self.pole, self.toes = side, ankle, pole, toes
        self.knee = ankle

    @classmethod
    def read(cls, score: Score, side: str) -> _Leg:
        return cls(
            side,
            _values(score, f"feet {side}", _FOOT_REST[side]),
            _directions(score, f"knees {side}", _FORWARD),
            _directions(score, f"toes {side}", (0.0, -0.45, 1.0)),
        )

    def directions(self, joint: str, position: Array, skeleton: Skeleton) -> Array | None:
        """Where the bone of a leg joint, which stands at `position` (N, 3), points."""
        if joint == "UpLeg":
            thigh, shin = (
                float(np.linalg.norm(skeleton.offsets[skeleton.names.index(self.side + name)]))
                for name in ("Leg", "Foot")
            )
            self.knee, self.ankle = humanoid.bend(position, self.ankle, self.pole, thigh, shin)
            return self.knee - position
        if joint == "Leg":
            return self.ankle - position
        return self.toes if joint == "Foot" else None


def _directions(score: Score, track: str, rest: tuple[float, float, float]) -> Array:
    """A track's values (N, 3) at every frame, none of them zero."""
    values = _values(score, track, rest)
    lost = np.flatnonzero(np.linalg.norm(values, axis=1) < _NO_DIRECTION)
    if lost.size:
        raise BvhError(
            f"{track}: expected a direction at {lost[0] / score.fps:g} s, got zero half way between two "
            "opposite ones; add a key between them"
        )
    return values


def _values(score: Score, track: str, rest: tuple[float, float, float]) -> Array:
    """A track's values (N, 3) at every frame."""
    times = np.arange(score.n_frames) / score.fps
    values = np.tile(np.array(rest, dtype=np.float64), (score.n_frames, 1))
    if track in score.tracks:
        values = _curve(score.tracks[track], times - score.lag.get(track, 0.0), score.duration, score.loops)
    for sway in score.sways:
        if sway.track == track:
            angle = 2.0 * np.pi * (sway.cycles * times / score.duration + sway.phase)
            values[:, sway.axis] += sway.amount * np.sin(angle)
    return values


def _curve(track: Track, times: Array, duration: float, loops: bool) -> Array:
    """Monotone cubic through the keys, at `times` (N,); round and round or held at both ends."""
    if len(track.times) == 1:
        return np.tile(track.values[0], (len(times), 1))
    knots, values = track.times, track.values
    if loops:
        knots = np.concatenate([knots - duration, knots, knots + duration])
        values = np.tile(values, (3, 1))
        times = np.mod(times, duration)
    curve: Array = PchipInterpolator(knots, values, axis=0)(np.clip(times, knots[0], knots[-1]))
    return curve
