"""Detector: finds every drawn figure on a letterboxed sheet, without anchors.

A map says where the centres of figures are (CenterNet, Zhou et al. 2019); at each cell the distances to
the four sides of the box are regressed (FCOS, Tian et al. 2019).

Letters: B batch, S input size (pixels a side), h = S / 8 cells a side. Coordinates are continuous pixels
of the network's input, x right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchserve_model.networks.blocks import (
    Pyramid,
    ResidualBlock,
    cell_centres,
    initialise,
)

DETECTOR_STRIDE = 8
"""Input pixels per cell."""

_LOWEST_SCORE = 0.01


@dataclass(frozen=True)
class DetectorConfig:
    """Shape of the network. Everything needed to build it again.

    size : input pixels a side, a multiple of 32.
    stem, channels : channels after the stem, and at strides 4, 8, 16 and 32.
    blocks : residual blocks at strides 4, 8, 16 and 32 on the way down.
    candidates : boxes that leave the exported graph, best first.
    """

    size: int = 256
    stem: int = 16
    channels: tuple[int, int, int, int] = (32, 64, 112, 192)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 2)
    candidates: int = 50

    def __post_init__(self) -> None:
        if self.size % 32:
            raise ValueError(f"size: want a multiple of 32 pixels, got {self.size}")


class DetectorLogits(NamedTuple):
    """What training sees, float32.

    centres : (B, h, h) logits of a figure's centre lying in the cell.
    distances : (B, 4, h, h) distances from the cell's centre to the left, top, right and bottom side of the
        figure's box, in input pixels, positive.
    """

    centres: Tensor
    distances: Tensor


class DetectorNetwork(Pyramid):
    """(B, S, S, 3) uint8 RGB to DetectorLogits."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__(config.stem, config.channels, config.blocks)
        self.config = config
        c8 = config.channels[1]
        self.refine8 = ResidualBlock(c8, c8)
        self.centre_head = nn.Conv2d(c8, 1, 1)
        self.distance_head = nn.Conv2d(c8, 4, 1)
        initialise(self)
        # Few cells are centres: start from a score of 1 % (Lin et al. 2017), and from boxes of middling size.
        nn.init.normal_(self.centre_head.weight, std=0.01)
        nn.init.constant_(self.centre_head.bias, -4.6)  # type: ignore[arg-type]
        nn.init.normal_(self.distance_head.weight, std=0.01)
        nn.init.constant_(self.distance_head.bias, 2.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> DetectorLogits:
        """(B, S, S, 3) uint8 RGB; see DetectorLogits."""
        y8 = self.refine8(self.features(images).y8)  # (B, c8, h, h)
        distances = functional.softplus(self.distance_head(y8).float()) * (self.config.size / 8.0)
        return DetectorLogits(centres=self.centre_head(y8).squeeze(1).float(), distances=distances)


class DetectorDecoder(nn.Module):
    """The network with its post-processing short of non-maximum suppression: what is exported."""

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, S, 3) uint8 RGB to candidates, best first.

        boxes : (B, candidates, 4) float32: left, top, right, bottom in input pixels.
        scores : (B, candidates) float32, 0 to 1. Only local peaks of the centre map are candidates; the rest
            of the places are filled with zeros.
        """
        logits = self.network(images)
        scores = logits.centres.sigmoid()
        peaks = functional.max_pool2d(scores.unsqueeze(1), 3, stride=1, padding=1).squeeze(1)
        # A floor, lest runtimes that round differently rank what is nothing differently.
        keep = (scores >= peaks) & (scores > _LOWEST_SCORE)
        scores = torch.where(keep, scores, torch.zeros_like(scores))
        top, index = scores.flatten(1).topk(self.network.config.candidates, dim=1)
        boxes = boxes_from_distances(logits.distances).flatten(1, 2)  # (B, h * h, 4)
        chosen = boxes.gather(1, index.unsqueeze(-1).expand(-1, -1, 4))
        return chosen * (top > 0).unsqueeze(-1), top


def boxes_from_distances(distances: Tensor) -> Tensor:
    """(B, 4, h, w) distances in input pixels to (B, h, w, 4) boxes: left, top, right, bottom."""
    xs, ys = cell_centres(distances, DETECTOR_STRIDE)
    left, top, right, bottom = distances.unbind(dim=1)  # each (B, h, w)
    columns, rows = xs.unsqueeze(0), ys.unsqueeze(1)
    return torch.stack([columns - left, rows - top, columns + right, rows + bottom], dim=-1)
