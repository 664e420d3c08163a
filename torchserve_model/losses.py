"""What the networks are asked to minimise. Letters as in networks/pose.py and networks/detector.py."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from torchserve_model.networks.blocks import cell_centres
from torchserve_model.networks.detector import DETECTOR_STRIDE, DetectorLogits, boxes_from_distances
from torchserve_model.networks.pose import HEATMAP_STRIDE, PoseLogits

Terms = dict[str, Tensor]
"""Named parts of a loss, scalars; their sum is minimised."""


def pose_loss(logits: PoseLogits, batch: dict[str, Tensor]) -> Terms:
    """Heatmaps, coordinates, presence and mask.

    batch : keypoints (B, K, 2) in input pixels, present (B, K) of 0 and 1, mask (B, S, S) of 0 and 1.
    """
    keypoints, present = batch["keypoints"], batch["present"]
    height, width = logits.heatmaps.shape[-2:]
    inside = (keypoints >= 0).all(-1) & (keypoints < height * HEATMAP_STRIDE).all(-1)
    weight = present * inside
    count = weight.sum().clamp(min=1.0)
    xs, ys = cell_centres(logits.heatmaps, HEATMAP_STRIDE)
    target = gaussian_maps(keypoints, xs, ys, torch.full_like(keypoints, 1.25 * HEATMAP_STRIDE))
    target = target / target.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    log_probability = logits.heatmaps.flatten(2).log_softmax(dim=-1)
    cross_entropy = -(target.flatten(2) * log_probability).sum(-1)
    # The mean of the map adds a gradient that reaches a peak in the wrong place (Sun et al. 2018).
    probability = log_probability.exp().view_as(logits.heatmaps)
    mean = torch.stack([(probability.sum(2) * xs).sum(-1), (probability.sum(3) * ys).sum(-1)], dim=-1)
    distance = (mean - keypoints).abs().sum(-1) / (width * HEATMAP_STRIDE)
    mask = batch["mask"].to(logits.mask.dtype)
    overlap = (logits.mask.sigmoid() * mask).sum((1, 2))
    areas = (logits.mask.sigmoid() + mask).sum((1, 2))
    return {
        "heatmaps": (cross_entropy * weight).sum() / count,
        "coordinates": 10.0 * (distance * weight).sum() / count,
        "presence": 0.2 * functional.binary_cross_entropy_with_logits(logits.presence, present),
        "mask": 2.0 * functional.binary_cross_entropy_with_logits(logits.mask, mask),
        # Dice (Milletari et al. 2016) counts a stick figure's few pixels as much as a robe's many.
        "dice": (1.0 - (2.0 * overlap + 1.0) / (areas + 1.0)).mean(),
    }


def gaussian_maps(points: Tensor, xs: Tensor, ys: Tensor, sigma_px: Tensor) -> Tensor:
    """(..., 2) points to (..., H, W) maps with a peak of 1 at each point.

    xs : (W,), ys : (H,), where the maps are sampled. sigma_px : (..., 2), width of the peak along x and y.
    All in input pixels.
    """
    along_x = (-0.5 * ((xs - points[..., 0, None]) / sigma_px[..., 0, None]) ** 2).exp()
    along_y = (-0.5 * ((ys - points[..., 1, None]) / sigma_px[..., 1, None]) ** 2).exp()
    return along_y.unsqueeze(-1) * along_x.unsqueeze(-2)


def detector_loss(logits: DetectorLogits, batch: dict[str, Tensor]) -> Terms:
    """Centres by penalty-reduced focal loss (Law and Deng 2018); boxes by GIoU and relative distance.

    batch : boxes (B, N, 4) in input pixels, count (B,) of real ones among them.
    """
    boxes, count = batch["boxes"], batch["count"]
    real = torch.arange(boxes.shape[1], device=boxes.device) < count[:, None]  # (B, N)
    height, width = logits.centres.shape[-2:]
    closeness, owner = _closeness(boxes, real, *cell_centres(logits.distances, DETECTOR_STRIDE))
    centre = _centre_cells(boxes, real, height, width)
    total = real.sum().clamp(min=1)
    score = logits.centres.sigmoid()
    positive = -functional.logsigmoid(logits.centres) * (1.0 - score) ** 2 * centre
    negative = -functional.logsigmoid(-logits.centres) * score**2 * (1.0 - closeness) ** 4 * (~centre)
    wanted = boxes.gather(1, owner.flatten(1).unsqueeze(-1).expand(-1, -1, 4)).view(-1, height, width, 4)
    # Cells around the centre learn the box too: the peak may fall beside the true cell.
    weight = torch.where(closeness > 0.3, closeness, torch.zeros_like(closeness))
    weight = weight / weight.sum().clamp(min=1.0)
    found = boxes_from_distances(logits.distances)
    longest = (wanted[..., 2:] - wanted[..., :2]).amax(-1).clamp(min=1.0)
    return {
        "centres": (positive + negative).sum() / total,
        "giou": 2.0 * ((1.0 - generalised_iou(found, wanted)) * weight).sum(),
        "sides": 5.0 * ((found - wanted).abs().mean(-1) / longest * weight).sum(),
    }


def _closeness(boxes: Tensor, real: Tensor, xs: Tensor, ys: Tensor) -> tuple[Tensor, Tensor]:
    """(B, h, w) closeness 0 to 1 of each cell to the nearest figure's centre, and which figure that is."""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2.0
    # As wide as the figure is, but never less than a cell.
    sigma = ((boxes[..., 2:] - boxes[..., :2]) * 0.12).clamp(min=0.7 * DETECTOR_STRIDE)
    maps = gaussian_maps(centre, xs, ys, sigma) * real[..., None, None]  # (B, N, h, w)
    best = maps.max(dim=1)
    return best.values, best.indices


def _centre_cells(boxes: Tensor, real: Tensor, height: int, width: int) -> Tensor:
    """(B, h, w) bool, True in the cells that hold the centre of a figure."""
    centre = ((boxes[..., :2] + boxes[..., 2:]) / (2.0 * DETECTOR_STRIDE)).long()
    x, y = centre[..., 0].clamp(0, width - 1), centre[..., 1].clamp(0, height - 1)
    cells = torch.zeros(len(boxes), height * width, device=boxes.device)
    cells.scatter_add_(1, y * width + x, real.to(cells.dtype))
    return cells.view(-1, height, width) > 0


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019), -1 to 1, of (..., 4) boxes: left, top, right, bottom."""
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)
    intersection, enclosing = shared.prod(-1), hull.prod(-1).clamp(min=1e-6)
    union = (area_a + area_b - intersection).clamp(min=1e-6)
    return intersection / union - (enclosing - union) / enclosing
