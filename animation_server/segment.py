"""The figure's mask: snapped to the ink, cleaned to one figure; and a classical fallback without a model.

A network's mask is right about what belongs to the figure but blurry about where it ends; ink is sharp but
knows no figures. So the network's mask decides far from its edge, and in a band along the edge the ink does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server import quadratic

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SegmentTolerances:
    """Lengths as shares of the crop's larger side, colours in CIELAB units.

    band : how far the network's edge may lie from the true one; its mask is that coarse.
    corridor : how far from a straight bone the ink of a limb may run.
    tip, stroke_end, stroke_width : a stroke that leaves the mask within `tip` of a limb's last joint is the
        figure's if it is no longer and no broader than the other two.
    bridge : islands closer to the figure than this belong to it (a hat, a hand drawn apart).
    min_contrast : least difference from paper that counts as ink.
    noise_factor : differences below this many deviations of the paper's own grain are paper.
    rim_px : paper kept around the ink, in pixels of the crop, as in AnimatedDrawings' masks: a stroke's soft
        edge lies there.
    small_hole : holes below this share of the figure's area are closed whatever they show.
    """

    band: float = 0.006
    corridor: float = 0.025
    tip: float = 0.1
    stroke_end: float = 0.25
    stroke_width: float = 0.03
    bridge: float = 0.04
    min_contrast: float = 9.0
    noise_factor: float = 5.0
    rim_px: int = 1
    small_hole: float = 0.002


TOLERANCES = SegmentTolerances()


def segment(
    rgb: NDArray[np.uint8], rough: Mask | None, bones_px: NDArray[np.float64], *, open_edge: bool = False
) -> Mask:
    """Cut the figure out of its crop.

    rgb : (H, W, 3) uint8. rough : (H, W) bool from the network, or None to segment classically.
    bones_px : (B, 2, 2) float64, ends (x, y) of the figure's bones in crop pixels; ink along them is kept.
    open_edge : whether a limb's last stroke may run off the crop, which shows that the crop is too small; in
        a crop that is large enough such a line is the ground.
    Returns (H, W) bool: one figure, edges on the ink, small holes closed. Never empty: where nothing can be
    made out, the bones themselves are the figure.
    """
    side = max(rgb.shape[:2])
    if rough is None:
        rough = segment_classically(rgb)
    ink = find_ink(rgb, rough)
    corridor = _draw_bones(rough.shape, bones_px, max(3, round(2 * TOLERANCES.corridor * side)))
    mask = _snap_to_ink(rough, ink, max(2, round(TOLERANCES.band * side)))
    mask |= ink & corridor
    mask = _follow_strokes(mask, ink, _tips(bones_px), side, open_edge=open_edge)
    mask = _keep_one_figure(mask, corridor, max(1, round(TOLERANCES.bridge * side)))
    mask = cv2.dilate(mask.astype(np.uint8), _disc(2 * TOLERANCES.rim_px + 1)).astype(bool)
    mask = _close_holes(mask, rough)
    if not mask.any():
        mask = _draw_bones(rough.shape, bones_px, max(3, round(0.02 * side)))
    return mask


def segment_classically(rgb: NDArray[np.uint8]) -> Mask:
    """Cut the largest drawn thing out of a crop without a model.

    rgb : (H, W, 3) uint8. Adaptive threshold, closing of gaps in the outline, fill from the border.
    Returns (H, W) bool, possibly empty.
    """
    height, width = rgb.shape[:2]
    side = max(height, width)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[..., 0]
    window = max(3, round(0.2 * side)) | 1
    ink = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, window, 8)
    gap = max(3, round(0.012 * side)) | 1
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, _disc(gap))
    outside = _reach_from_border(closed == 0)
    return _largest_component(~outside)


def find_ink(rgb: NDArray[np.uint8], figure: Mask) -> Mask:
    """Tell ink from paper: what differs from the paper's own colour, lighting included.

    rgb : (H, W, 3) uint8. figure : (H, W) bool, roughly where the figure is; the paper's colour is learnt
    outside of it, as a quadratic surface, so that a gradient of light is not taken for paint.
    Returns (H, W) bool.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32)
    paper = _fit_paper(lab, ~cv2.dilate(figure.astype(np.uint8), _disc(9)).astype(bool))
    difference = np.linalg.norm(lab - paper, axis=2)
    outside = difference[~figure]
    grain = float(np.median(outside)) * 1.4826 if outside.size else 0.0
    threshold = max(TOLERANCES.min_contrast, TOLERANCES.noise_factor * grain)
    # strokes also stand out from what surrounds them, in shadows that the surface cannot follow
    lightness = lab[..., 0]
    stroke_width = max(5, round(0.03 * max(rgb.shape[:2]))) | 1
    stroke = cv2.morphologyEx(lightness, cv2.MORPH_BLACKHAT, _disc(stroke_width))
    stroke_grain = float(np.median(stroke[~figure])) * 1.4826 if outside.size else 0.0
    is_stroke = stroke > max(TOLERANCES.min_contrast, TOLERANCES.noise_factor * stroke_grain)
    return (difference > threshold) | is_stroke


def _fit_paper(lab: NDArray[np.float32], paper: Mask) -> NDArray[np.float32]:
    """Least-squares quadratic surface of the paper's colour, refitted once without what is not paper."""
    height, width = paper.shape
    step = max(1, round(np.sqrt(height * width / 4000)))
    rows, cols = np.nonzero(paper[::step, ::step])
    if len(rows) < 32:
        rows, cols = (a.ravel() for a in np.indices(paper[::step, ::step].shape))
    samples = lab[::step, ::step][rows, cols]
    at = quadratic.terms(2 * rows * step / height - 1, 2 * cols * step / width - 1)
    surface = quadratic.fit(at, samples)
    residual = np.abs(samples - at @ surface).sum(axis=1)
    keep = residual <= np.quantile(residual, 0.8)
    surface = quadratic.fit(at[keep], samples[keep])
    # smooth enough to be worked out on a coarse grid
    y, x = (np.mgrid[0:32, 0:32] + 0.5) / 16 - 1
    coarse = (quadratic.terms(y.ravel(), x.ravel()) @ surface).reshape(32, 32, 3).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _snap_to_ink(rough: Mask, ink: Mask, band: int) -> Mask:
    """Within `band` pixels of the rough edge let the ink decide.

    Paper in the band that can be reached from outside without crossing ink is outside; paper that ink
    encloses is figure, and so is the ink itself.
    """
    disc = _disc(2 * band + 1)
    core = cv2.erode(rough.astype(np.uint8), disc, borderValue=0).astype(bool)
    reach = cv2.dilate(rough.astype(np.uint8), disc).astype(bool)
    outside = _reach_from(~core & ~ink, ~reach)
    mask = reach & ~outside
    # ink that only brushes the band is a neighbour's: it must touch what the network saw
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    seen = np.zeros(count, dtype=bool)
    seen[np.unique(labels[rough & mask])] = True
    seen[0] = False
    return seen[labels]


def _follow_strokes(
    mask: Mask, ink: Mask, tips_px: NDArray[np.float64], side: int, *, open_edge: bool
) -> Mask:
    """Add the ends of strokes that leave the mask at a limb's tip and stop before long: a foot of one line.

    More of them than there are limbs are a ruling or a backdrop.
    """
    gap = max(1, round(0.004 * side))
    about = cv2.dilate(mask.astype(np.uint8), _disc(2 * gap + 1)).astype(bool)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (ink & ~about).astype(np.uint8), connectivity=8
    )
    contact = cv2.dilate(mask.astype(np.uint8), _disc(4 * gap + 3)).astype(bool)
    contact &= _draw_dots(mask.shape, tips_px, round(TOLERANCES.tip * side))
    ends = np.zeros(count, dtype=bool)
    ends[np.unique(labels[contact])] = True
    if not open_edge:
        ends[np.unique(np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])))] = False
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    ends &= (extent > 3 * gap) & (extent <= TOLERANCES.stroke_end * side)
    ends &= stats[:, cv2.CC_STAT_AREA] <= TOLERANCES.stroke_width * side * extent
    ends[0] = False
    if not 0 < np.count_nonzero(ends) <= len(tips_px):
        return mask
    # across the gap, along the ink
    return mask | (ink & cv2.dilate(ends[labels].astype(np.uint8), _disc(4 * gap + 3)).astype(bool))


def _keep_one_figure(mask: Mask, near_bones: Mask, bridge: int) -> Mask:
    """Keep the largest component, whatever lies within `bridge` pixels of it, and parts that bones cross."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    main = 1 + int(np.argmax(areas))
    neighbourhood = cv2.dilate((labels == main).astype(np.uint8), _disc(2 * bridge + 1)).astype(bool)
    kept = np.zeros(count, dtype=bool)
    kept[np.unique(labels[neighbourhood | near_bones])] = True
    kept[0] = False
    # crumbs are noise, not parts
    kept[1:] &= areas >= max(4, 0.0005 * areas.max())
    kept[main] = True
    return kept[labels]


def _close_holes(mask: Mask, rough: Mask) -> Mask:
    """Close holes that are small or that the rough mask calls figure; leave true openings."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    height, width = mask.shape
    touches_border = (
        (stats[:, cv2.CC_STAT_LEFT] == 0)
        | (stats[:, cv2.CC_STAT_TOP] == 0)
        | (stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH] == width)
        | (stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] == height)
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    called_figure = np.bincount(labels.ravel(), rough.ravel(), minlength=count) / np.maximum(areas, 1)
    small = areas < max(9.0, TOLERANCES.small_hole * mask.sum())
    close = ~touches_border & (small | (called_figure > 0.5))
    close[0] = False
    return mask | close[labels]


def _draw_bones(shape: tuple[int, ...], bones_px: NDArray[np.float64], thickness: int) -> Mask:
    canvas = np.zeros(shape, dtype=np.uint8)
    for start, end in np.rint(bones_px).astype(int).tolist():
        cv2.line(canvas, start, end, 1, thickness)
    return canvas.astype(bool)


def _draw_dots(shape: tuple[int, ...], points_px: NDArray[np.float64], radius: int) -> Mask:
    canvas = np.zeros(shape, dtype=np.uint8)
    for centre in np.rint(points_px).astype(int).tolist():
        cv2.circle(canvas, centre, radius, 1, -1)
    return canvas.astype(bool)


def _tips(bones_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 2) float64, the ends of bones that no other bone starts at."""
    starts, ends = bones_px[:, 0], bones_px[:, 1]
    return ends[~(ends[:, None] == starts[None]).all(axis=2).any(axis=1)]


def _reach_from_border(passable: Mask) -> Mask:
    border = np.ones_like(passable)
    border[1:-1, 1:-1] = False
    return _reach_from(passable, border)


def _reach_from(passable: Mask, start: Mask) -> Mask:
    """Components (4-connected) of passable pixels that hold a start pixel."""
    count, labels = cv2.connectedComponents(passable.astype(np.uint8), connectivity=4)
    reached = np.zeros(count, dtype=bool)
    reached[np.unique(labels[start])] = True
    reached[0] = False
    return reached[labels]


def _largest_component(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _disc(diameter: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)
