"""What a drawing is drawn with: line widths, steadiness, colours and ways of filling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

CRAYONS: tuple[Colour, ...] = (
    (228, 42, 38), (240, 120, 30), (250, 205, 40), (60, 160, 60), (30, 100, 60), (40, 90, 190),
    (90, 180, 230), (120, 60, 150), (235, 120, 170), (130, 80, 45), (245, 200, 160), (60, 60, 60),
    (150, 150, 150), (20, 160, 160), (170, 30, 60), (200, 170, 90),
)  # fmt: skip
SKIN: tuple[Colour, ...] = ((250, 215, 180), (235, 190, 150), (200, 145, 105), (140, 95, 65), (255, 225, 200))
INKS: tuple[Colour, ...] = ((25, 25, 30), (40, 40, 45), (30, 40, 110), (45, 60, 150), (60, 30, 120))


@dataclass(frozen=True)
class Medium:
    """A drawing tool in a certain hand. Lengths are shares of the figure's height.

    ink : colour of lines. width : of lines. wobble : deviation of the unsteady hand.
    knot : length between changes of that deviation. overshoot : how readily closed lines run on.
    gap_chance : of a line to break. repeats : how often a line is retraced. angular : whether curves become
    corners. pressure : variation of the width. fill : "solid", "scribble" or "hatch". fill_chance : of a part
    to be filled. line_colours : whether lines change colour. spacing : of a scribble's lines.
    grain : how much the paper's relief breaks the ink. opacity : of the ink. digital : on a screen.
    """

    name: str
    ink: Colour
    width: float
    wobble: float
    knot: float
    overshoot: float
    gap_chance: float
    fill_chance: float
    repeats: int = 1
    angular: bool = False
    pressure: float = 0.0
    fill: str = "solid"
    line_colours: bool = False
    spacing: float = 0.03
    grain: float = 0.0
    opacity: float = 1.0
    digital: bool = False

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
    """Most lines are drawn in some dark colour."""
    inks, share = (INKS, 1.0) if rng.random() < 0.8 else (CRAYONS, 0.6)
    return _rgb(np.array(inks[int(rng.integers(len(inks)))]) * share + rng.normal(0, 10, 3))


def _one_of(rng: np.random.Generator, *values: float) -> float:
    return values[int(rng.integers(len(values)))]


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def touch(rng: np.random.Generator) -> Medium:
    """A mouse or a finger on a screen: a thin line of constant width and no correction."""
    return Medium(
        name="touch",
        ink=_rgb(rng.integers(0, 55, 3)) if rng.random() < 0.9 else _dark(rng),
        width=_log(rng, 0.004, 0.014),
        wobble=_log(rng, 0.0015, 0.008),
        knot=rng.uniform(0.04, 0.14),
        overshoot=rng.uniform(0, 0.03),
        gap_chance=0.06,
        angular=bool(rng.random() < 0.25),
        fill_chance=0.06,
        digital=True,
    )


def brush(rng: np.random.Generator) -> Medium:
    """A thick digital brush."""
    return Medium(
        name="brush",
        ink=_rgb(rng.integers(0, 40, 3)) if rng.random() < 0.85 else _dark(rng),
        width=_log(rng, 0.010, 0.055),
        wobble=_log(rng, 0.001, 0.007),
        knot=rng.uniform(0.06, 0.2),
        overshoot=rng.uniform(0, 0.02),
        gap_chance=0.05,
        angular=bool(rng.random() < 0.1),
        fill_chance=_one_of(rng, 0.0, 0.0, 0.6),
        digital=True,
    )


def pen(rng: np.random.Generator) -> Medium:
    """A ball-point or a fine liner."""
    return Medium(
        name="pen",
        ink=_dark(rng),
        width=_log(rng, 0.004, 0.012),
        wobble=_log(rng, 0.001, 0.007),
        knot=rng.uniform(0.05, 0.2),
        overshoot=rng.uniform(0, 0.04),
        gap_chance=0.1,
        repeats=int(_one_of(rng, 1, 1, 1, 2, 3)),
        pressure=rng.uniform(0, 0.4),
        fill="hatch",
        fill_chance=_one_of(rng, 0.0, 0.1, 0.4),
        spacing=rng.uniform(0.012, 0.03),
        grain=0.15,
        opacity=rng.uniform(0.6, 1.0),
    )


def pencil(rng: np.random.Generator) -> Medium:
    """Graphite: thin, light, grainy, retraced."""
    grey = int(rng.integers(40, 140))
    return Medium(
        name="pencil",
        ink=(grey, grey, grey),
        width=_log(rng, 0.004, 0.013),
        wobble=_log(rng, 0.001, 0.007),
        knot=rng.uniform(0.05, 0.2),
        overshoot=rng.uniform(0, 0.05),
        gap_chance=0.15,
        repeats=int(_one_of(rng, 1, 1, 2, 2, 3)),
        pressure=rng.uniform(0.1, 0.5),
        fill="scribble",
        fill_chance=_one_of(rng, 0.0, 0.15, 0.5),
        spacing=rng.uniform(0.012, 0.03),
        grain=0.6,
        opacity=rng.uniform(0.45, 0.95),
    )


def marker(rng: np.random.Generator) -> Medium:
    """A felt pen."""
    return Medium(
        name="marker",
        ink=_dark(rng) if rng.random() < 0.6 else _rgb(np.array(CRAYONS[rng.integers(len(CRAYONS))]) * 0.85),
        width=_log(rng, 0.008, 0.042),
        wobble=_log(rng, 0.001, 0.006),
        knot=rng.uniform(0.06, 0.25),
        overshoot=rng.uniform(0, 0.03),
        gap_chance=0.06,
        repeats=int(_one_of(rng, 1, 1, 1, 2)),
        pressure=rng.uniform(0, 0.2),
        fill=("scribble", "solid", "hatch")[int(rng.integers(3))],
        fill_chance=_one_of(rng, 0.0, 0.3, 0.8),
        line_colours=bool(rng.random() < 0.3),
        spacing=rng.uniform(0.012, 0.03),
        grain=0.1,
        opacity=rng.uniform(0.8, 1.0),
    )


def crayon(rng: np.random.Generator) -> Medium:
    """Wax or coloured pencil."""
    return Medium(
        name="crayon",
        ink=_dark(rng) if rng.random() < 0.45 else CRAYONS[int(rng.integers(len(CRAYONS)))],
        width=_log(rng, 0.007, 0.028),
        wobble=_log(rng, 0.002, 0.008),
        knot=rng.uniform(0.05, 0.2),
        overshoot=rng.uniform(0, 0.04),
        gap_chance=0.1,
        repeats=int(_one_of(rng, 1, 1, 2)),
        pressure=rng.uniform(0.1, 0.5),
        fill=("scribble", "scribble", "solid")[int(rng.integers(3))],
        fill_chance=_one_of(rng, 0.0, 0.5, 0.9),
        line_colours=bool(rng.random() < 0.4),
        spacing=rng.uniform(0.01, 0.028),
        grain=rng.uniform(0.3, 0.85),
        opacity=rng.uniform(0.55, 1.0),
    )


def paint(rng: np.random.Generator) -> Medium:
    """A paint brush: broad, uneven, filled."""
    return Medium(
        name="paint",
        ink=_dark(rng) if rng.random() < 0.5 else CRAYONS[int(rng.integers(len(CRAYONS)))],
        width=_log(rng, 0.014, 0.045),
        wobble=_log(rng, 0.002, 0.008),
        knot=rng.uniform(0.08, 0.25),
        overshoot=rng.uniform(0, 0.02),
        gap_chance=0.04,
        pressure=rng.uniform(0.3, 0.8),
        fill_chance=_one_of(rng, 0.1, 0.7, 1.0),
        line_colours=bool(rng.random() < 0.5),
        grain=0.2,
        opacity=rng.uniform(0.75, 1.0),
    )


_ON_PAPER = (pen, pencil, marker, crayon, paint)
_SHARES = np.cumsum((0.32, 0.18, 0.24, 0.2, 0.06))


def digital_medium(rng: np.random.Generator) -> Medium:
    """A tool of a drawing app."""
    return touch(rng) if rng.random() < 0.68 else brush(rng)


def paper_medium(rng: np.random.Generator) -> Medium:
    """A tool that draws on paper."""
    return _ON_PAPER[int(np.searchsorted(_SHARES, rng.uniform(0.0, _SHARES[-1])))](rng)
