"""Decoding and losses of the networks."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torchserve_model.losses import detector_loss, gaussian_maps, generalised_iou, pose_loss  # noqa: E402
from torchserve_model.networks.blocks import cell_centres  # noqa: E402
from torchserve_model.networks.detector import (  # noqa: E402
    DETECTOR_STRIDE,
    DetectorLogits,
    boxes_from_distances,
)
from torchserve_model.networks.pose import HEATMAP_STRIDE, PoseLogits, decode_heatmaps  # noqa: E402

pytestmark = pytest.mark.needs_torch


def heatmaps(points: list[tuple[float, float]], cells: int = 24) -> torch.Tensor:
    """(1, K, cells, cells) logits whose softmax is a Gaussian at each point."""
    like = torch.zeros(1, 1, cells, cells)
    xs, ys = cell_centres(like, HEATMAP_STRIDE)
    where = torch.tensor([points])
    return gaussian_maps(where, xs, ys, torch.full_like(where, 5.0)).clamp(min=1e-9).log()


def test_a_peak_is_located_between_cells() -> None:
    """A Gaussian heatmap is decoded to its centre, to a fraction of a cell, with high confidence."""
    points = [(40.0, 40.0), (41.3, 50.9), (17.7, 77.2)]
    decoded = decode_heatmaps(heatmaps(points), radius_px=10.0)[0]
    torch.testing.assert_close(decoded[:, :2], torch.tensor(points), atol=0.2, rtol=0)
    assert (decoded[:, 2] > 0.7).all()


def test_of_two_peaks_the_higher_is_taken() -> None:
    """A joint that may be in two places is put in the likelier, not between, and with less confidence."""
    first, second = heatmaps([(20.0, 20.0)]).exp(), heatmaps([(70.0, 70.0)]).exp()
    decoded = decode_heatmaps((0.6 * first + 0.4 * second).log(), radius_px=10.0)[0, 0]
    torch.testing.assert_close(decoded[:2], torch.tensor([20.0, 20.0]), atol=0.3, rtol=0)
    assert 0.3 < float(decoded[2]) < 0.6


def test_distances_become_boxes() -> None:
    """Distances of nothing are the cells' centres; each moves its own side."""
    centres = boxes_from_distances(torch.zeros(1, 4, 2, 3))[0]
    assert centres[1, 2].tolist() == [20.0, 12.0, 20.0, 12.0]
    moved = boxes_from_distances(torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1))[0, 0, 0]
    assert moved.tolist() == [3.0, 2.0, 7.0, 8.0]


def test_giou_of_known_boxes() -> None:
    """One for the same box, the overlap less the hull's empty part otherwise, below zero when far apart."""
    box = torch.tensor([0.0, 0.0, 2.0, 2.0])
    others = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0], [2.0, 2.0, 4.0, 4.0]])
    assert generalised_iou(box.expand(3, 4), others).tolist() == pytest.approx([1.0, 0.5, -0.5])


def test_the_truth_has_the_least_pose_loss() -> None:
    """Every term is smaller for right logits than for shifted ones."""
    points = torch.tensor([[[30.0, 40.0], [60.0, 70.0]]])
    mask = torch.zeros(1, 96, 96, dtype=torch.uint8)
    mask[:, 20:60, 30:50] = 1
    batch = {"keypoints": points, "present": torch.tensor([[1.0, 0.0]]), "mask": mask}

    def loss(shift: int, sure: float) -> dict[str, torch.Tensor]:
        shown = torch.roll(mask, shift, dims=2).float() * 2 - 1
        maps = torch.roll(heatmaps([(30.0, 40.0), (10.0, 10.0)]), shift // HEATMAP_STRIDE, dims=3)
        return pose_loss(PoseLogits(maps, torch.tensor([[sure, -sure]]), shown * 6), batch)

    right, wrong = loss(0, 5.0), loss(16, -5.0)
    assert all(right[name] < wrong[name] for name in right)


def test_the_truth_has_little_detector_loss() -> None:
    """Right centres and sides cost almost nothing, padding rows of boxes nothing at all."""
    box = torch.tensor([16.0, 8.0, 48.0, 64.0])
    boxes = torch.stack([box, torch.zeros(4)])[None]
    batch = {"boxes": boxes, "count": torch.tensor([1])}
    xs, ys = cell_centres(torch.zeros(1, 1, 10, 10), DETECTOR_STRIDE)
    grid_x, grid_y = xs.expand(10, 10), ys[:, None].expand(10, 10)
    distances = torch.stack([grid_x - box[0], grid_y - box[1], box[2] - grid_x, box[3] - grid_y])[None]
    centres = torch.full((1, 10, 10), -12.0)
    centres[0, 4, 4] = 12.0
    terms = detector_loss(DetectorLogits(centres, distances), batch)
    assert all(float(term) < 1e-3 for term in terms.values())
    without = detector_loss(DetectorLogits(centres, distances), {**batch, "count": torch.tensor([0])})
    assert float(without["giou"]) == 0.0
    assert float(without["centres"]) > 0.1
