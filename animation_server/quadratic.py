"""Quadratic surfaces: how light falls on a sheet of paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def terms(y: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
    """The polynomial's terms (n, 6) at points, y and x (n) each; best from -1 to 1 over the sheet."""
    y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    return np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=1)


def fit(at: NDArray[np.float64], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Coefficients (6,) or (6, C) of the surface through values (n,) or (n, C), by least squares.

    at : (n, 6) terms. By the normal equations, much faster than a decomposition; a trace of ridge keeps them
    solvable on any set of points.
    """
    normal = at.T @ at + 1e-6 * len(at) * np.eye(at.shape[1])
    return np.asarray(np.linalg.solve(normal, at.T @ values), dtype=np.float64)
