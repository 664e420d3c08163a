"""Plane curves: the geometry that hands follow. Points are (N, 2) float64, x right, y down, figure units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_TURN = 2.0 * np.pi


def polyline(*points: tuple[float, float] | NDArray[np.float64]) -> Points:
    """(N, 2) array of the points given."""
    return np.array(points, dtype=np.float64)


def vector(x: float, y: float) -> Points:
    """One offset."""
    return np.array([x, y], dtype=np.float64)


def resample(points: Points, count: int) -> Points:
    """`count` points evenly spaced by arc length along a polyline."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    if along[-1] <= 0.0:
        return np.repeat(points[:1], count, axis=0)
    at = np.linspace(0.0, along[-1], count)
    return np.stack((np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])), axis=1)


def length(points: Points) -> float:
    """Arc length of a polyline."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def close(points: Points) -> Points:
    """The polyline with its first point appended."""
    return np.concatenate((points, points[:1]))


def arc(
    centre: Points,
    rx: float,
    ry: float,
    *,
    start: float = 0.0,
    sweep: float = _TURN,
    tilt: float = 0.0,
    count: int = 32,
) -> Points:
    """Part of an ellipse; angles in radians, clockwise on the page from +x."""
    angle = np.linspace(start, start + sweep, count, endpoint=abs(sweep) < _TURN - 1e-6)
    x, y = rx * np.cos(angle), ry * np.sin(angle)
    c, s = np.cos(tilt), np.sin(tilt)
    return np.stack((centre[0] + c * x - s * y, centre[1] + s * x + c * y), axis=1)


def blob(
    rng: np.random.Generator, centre: Points, rx: float, ry: float, roughness: float, count: int = 36
) -> Points:
    """A closed, uneven ellipse: low harmonics of relative size `roughness` modulate the radius."""
    angle = np.linspace(0.0, _TURN, count, endpoint=False) + rng.uniform(0.0, _TURN)
    radius = np.ones(count)
    for k in (2, 3, 4, 5):
        radius += roughness / k * rng.normal() * np.cos(k * angle + rng.uniform(0.0, _TURN))
    return np.stack(
        (centre[0] + rx * radius * np.cos(angle), centre[1] + ry * radius * np.sin(angle)), axis=1
    )


def bow(a: Points, middle: Points, b: Points, count: int = 14) -> Points:
    """The quadratic curve from a to b that passes `middle` half-way."""
    t = np.linspace(0.0, 1.0, count)[:, None]
    control = 2.0 * middle - 0.5 * (a + b)
    result: Points = (1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * b
    return result


def smooth(points: Points, rounds: int = 2, *, closed: bool = False) -> Points:
    """Chaikin's corner cutting."""
    for _ in range(rounds):
        p = close(points) if closed else points
        a, b = p[:-1], p[1:]
        cut = np.stack((0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b), axis=1).reshape(-1, 2)
        points = cut if closed else np.concatenate((points[:1], cut, points[-1:]))
    return points


def normals(points: Points) -> Points:
    """Unit normals along a polyline (left of the direction of travel on the page)."""
    d = np.gradient(points, axis=0)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    return np.stack((d[:, 1], -d[:, 0]), axis=1)


def ribbon(path: Points, half_widths: NDArray[np.float64]) -> Points:
    """Closed outline of a band of varying width about a path: out along one side, back along the other."""
    offset = normals(path) * half_widths[:, None]
    return np.concatenate((path + offset, (path - offset)[::-1]))


def drift(rng: np.random.Generator, count: int, knots: int) -> Points:
    """(count, 2) smooth random offsets of unit deviation, as an unsteady hand makes."""
    at = np.linspace(0.0, knots - 1.0, count)
    values = rng.normal(size=(2, knots))
    low = np.minimum(at.astype(np.int64), knots - 2)
    f = at - low
    f = f * f * (3.0 - 2.0 * f)
    mixed: Points = (values[:, low] * (1.0 - f) + values[:, low + 1] * f).T
    return mixed


def scanline_zigzag(
    rng: np.random.Generator, outline: Points, angle: float, spacing: float, stray: float
) -> Points:
    """A zigzag that scribbles a closed outline full, overrunning its edge by about `stray`.

    Each line runs between the outermost crossings, so concave outlines are bridged, as children do.
    """
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    p = outline @ turn
    q = np.roll(p, -1, axis=0)
    low, high = float(p[:, 1].min()), float(p[:, 1].max())
    count = int(np.clip((high - low) / spacing, 2, 60))
    y = np.linspace(low, high, count + 2)[1:-1] + rng.normal(size=count) * spacing * 0.25
    dy = q[:, 1] - p[:, 1]
    f = (y[:, None] - p[:, 1]) / np.where(np.abs(dy) < 1e-9, 1e-9, dy)
    x = p[:, 0] + f * (q[:, 0] - p[:, 0])
    hit = (f >= 0.0) & (f <= 1.0)
    left = np.where(hit, x, np.inf).min(axis=1) - rng.normal(size=count) * stray
    right = np.where(hit, x, -np.inf).max(axis=1) + rng.normal(size=count) * stray
    ok = hit.any(axis=1)
    if not ok.any():
        return outline
    odd = np.arange(count) % 2 == 1
    ends = np.stack((np.where(odd, right, left), y, np.where(odd, left, right), y + spacing * 0.5), axis=1)[
        ok
    ]
    return ends.reshape(-1, 2) @ turn.T
