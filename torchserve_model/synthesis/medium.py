"""What a drawing is drawn with: line widths, steadiness, colours and ways of filling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

CRAYONS: tuple[Colour, ...] = (
    (228, 42, 38), (240, 120, 30), (250, 205, 40), (60, 160, 60), (30, 100, 60), (40, 90, 190), (90, 180, 230),
    (120, 60, 150), (235, 120, 170), (130, 80, 45), (245, 200, 160), (60, 60, 60), (150, 150, 150), (20, 160, 160),
    (170, 30, 60), (200, 170, 90),
)  # fmt: skip
SKIN: tuple[Colour, ...] = ((250, 215, 180), (235, 190, 150), (200, 145, 105), (140, 95, 65), (255, 225, 200))
INKS: tuple[Colour, ...] = ((25, 25, 30), (40, 40, 45), (30, 40, 110), (45, 60, 150), (60, 30, 120))


@dataclass(frozen=True)
class Medium:
    """A drawing tool in a certain hand. Lengths are shares of the figure's height.

    width : line width. wobble : deviation of the unsteady hand. knot : length between its changes.
    """

    name: str
    ink: Colour
    width: float
    wobble: float
    knot: float
    overshoot: float
    gap_chance: float
    repeats: int
    angular: bool
    pressure: float
    fill: str
    fill_chance: float
    line_colours: bool
    spacing: float
    grain: float
    opacity: float
    digital: bool

    def palette(self, rng: np.random.Generator) -> Colour:
        """A colour to fill with."""
        if self.fill == "solid" and rng.random() < 0.25:
            return _rgb(rng.integers(40, 256, 3))
        base = np.array(CRAYONS[rng.integers(len(CRAYONS))]) + rng.normal(0, 12, 3)
        return _rgb(base)

    def skin(self, rng: np.random.Generator) -> Colour:
        """A colour for faces and hands."""
        if rng.random() < 0.3:
            return self.palette(rng)
        return _rgb(np.array(SKIN[rng.integers(len(SKIN))]) + rng.normal(0, 8, 3))


def _rgb(values: object) -> Colour:
    r, g, b = np.clip(np.asarray(values, dtype=np.float64), 0, 255).astype(int).tolist()
    return r, g, b


def _dark(rng: np.random.Generator) -> Colour:
    base = (
        np.array(INKS[rng.integers(len(INKS))])
        if rng.random() < 0.8
        else np.array(CRAYONS[rng.integers(len(CRAYONS))]) * 0.6
    )
    return _rgb(base + rng.normal(0, 10, 3))


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def touch(rng: np.random.Generator) -> Medium:
    """A mouse or a finger on a screen: a thin line of constant width and no correction."""
    ink = _rgb(rng.integers(0, 55, 3)) if rng.random() < 0.9 else _dark(rng)
    return Medium("touch", ink, _log(rng, 0.004, 0.014), _log(rng, 0.0015, 0.008), rng.uniform(0.04, 0.14),
                  rng.uniform(0, 0.03), 0.06, 1, bool(rng.random() < 0.25), 0.0, "solid",
                  0.06, False, 0.03, 0.0, 1.0, True)  # fmt: skip


def brush(rng: np.random.Generator) -> Medium:
    """A thick digital brush."""
    ink = _rgb(rng.integers(0, 40, 3)) if rng.random() < 0.85 else _dark(rng)
    return Medium("brush", ink, _log(rng, 0.010, 0.055), _log(rng, 0.001, 0.007), rng.uniform(0.06, 0.2),
                  rng.uniform(0, 0.02), 0.05, 1, bool(rng.random() < 0.1), 0.0, "solid",
                  float(rng.choice([0.0, 0.0, 0.6])), False, 0.03, 0.0, 1.0, True)  # fmt: skip


def pen(rng: np.random.Generator) -> Medium:
    """A ball-point or a fine liner."""
    return Medium("pen", _dark(rng), _log(rng, 0.004, 0.012), _log(rng, 0.001, 0.007), rng.uniform(0.05, 0.2),
                  rng.uniform(0, 0.04), 0.1, int(rng.choice([1, 1, 1, 2, 3])), False, rng.uniform(0, 0.4), "hatch",
                  float(rng.choice([0.0, 0.1, 0.4])), False, rng.uniform(0.012, 0.03), 0.15, rng.uniform(0.6, 1.0), False)  # fmt: skip


def pencil(rng: np.random.Generator) -> Medium:
    """Graphite: thin, light, grainy, retraced."""
    g = int(rng.integers(40, 140))
    return Medium("pencil", (g, g, g), _log(rng, 0.004, 0.013), _log(rng, 0.001, 0.007), rng.uniform(0.05, 0.2),
                  rng.uniform(0, 0.05), 0.15, int(rng.choice([1, 1, 2, 2, 3])), False, rng.uniform(0.1, 0.5), "scribble",
                  float(rng.choice([0.0, 0.15, 0.5])), False, rng.uniform(0.012, 0.03), 0.6, rng.uniform(0.45, 0.95), False)  # fmt: skip


def marker(rng: np.random.Generator) -> Medium:
    """A felt pen."""
    ink = _dark(rng) if rng.random() < 0.6 else _rgb(np.array(CRAYONS[rng.integers(len(CRAYONS))]) * 0.85)
    return Medium("marker", ink, _log(rng, 0.008, 0.042), _log(rng, 0.001, 0.006), rng.uniform(0.06, 0.25),
                  rng.uniform(0, 0.03), 0.06, int(rng.choice([1, 1, 1, 2])), False, rng.uniform(0, 0.2),
                  str(rng.choice(["scribble", "solid", "hatch"])), float(rng.choice([0.0, 0.3, 0.8])),
                  bool(rng.random() < 0.3), rng.uniform(0.012, 0.03), 0.1, rng.uniform(0.8, 1.0), False)  # fmt: skip


def crayon(rng: np.random.Generator) -> Medium:
    """Wax or coloured pencil."""
    ink = _dark(rng) if rng.random() < 0.45 else _rgb(CRAYONS[rng.integers(len(CRAYONS))])
    return Medium("crayon", ink, _log(rng, 0.007, 0.028), _log(rng, 0.002, 0.008), rng.uniform(0.05, 0.2),
                  rng.uniform(0, 0.04), 0.1, int(rng.choice([1, 1, 2])), False, rng.uniform(0.1, 0.5),
                  str(rng.choice(["scribble", "scribble", "solid"])), float(rng.choice([0.0, 0.5, 0.9])),
                  bool(rng.random() < 0.4), rng.uniform(0.01, 0.028), rng.uniform(0.4, 0.9), rng.uniform(0.55, 1.0), False)  # fmt: skip


def paint(rng: np.random.Generator) -> Medium:
    """A paint brush: broad, uneven, filled."""
    ink = _dark(rng) if rng.random() < 0.5 else _rgb(np.array(CRAYONS[rng.integers(len(CRAYONS))]))
    return Medium("paint", ink, _log(rng, 0.014, 0.045), _log(rng, 0.002, 0.008), rng.uniform(0.08, 0.25),
                  rng.uniform(0, 0.02), 0.04, 1, False, rng.uniform(0.3, 0.8), "solid",
                  float(rng.choice([0.1, 0.7, 1.0])), bool(rng.random() < 0.5), 0.03, 0.2, rng.uniform(0.75, 1.0), False)  # fmt: skip


_ON_PAPER = ((pen, 0.32), (pencil, 0.18), (marker, 0.24), (crayon, 0.2), (paint, 0.06))


def digital_medium(rng: np.random.Generator) -> Medium:
    """A tool of a drawing app."""
    return touch(rng) if rng.random() < 0.68 else brush(rng)


def paper_medium(rng: np.random.Generator) -> Medium:
    """A tool that draws on paper."""
    makers, weights = zip(*_ON_PAPER, strict=True)
    maker = makers[int(rng.choice(len(makers), p=np.array(weights)))]
    return maker(rng)
