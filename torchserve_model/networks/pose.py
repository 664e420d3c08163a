"""Pose and mask: a residual U-Net on the letterboxed crop of one figure.

Letters: B batch, S input size (pixels a side), K keypoints, h = S / 4 cells a side of the heatmaps.
Coordinates are continuous pixels of the network's input, x right and y down: the centre of the first
pixel lies at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchserve_model.networks.blocks import (
    ConvNorm,
    Pyramid,
    ResidualBlock,
    UpBlock,
    cell_centres,
    initialise,
)

HEATMAP_STRIDE = 4
"""Input pixels per heatmap cell."""

_DECODE_ROUNDS = 2


@dataclass(frozen=True)
class PoseConfig:
    """Shape of the network. Everything needed to build it again.

    size : input pixels a side, a multiple of 32.
    keypoints : joints located.
    stem, channels : channels after the stem, and at strides 4, 8, 16 and 32.
    blocks : residual blocks at strides 4, 8, 16 and 32 on the way down.
    decode_radius_px : standard deviation, in input pixels, of the window around a heatmap's peak within
        which its location is averaged and its probability counted as confidence.
    """

    size: int = 192
    keypoints: int = 13
    stem: int = 24
    channels: tuple[int, int, int, int] = (48, 96, 160, 224)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 1)
    decode_radius_px: float = 10.0

    def __post_init__(self) -> None:
        if self.size % 32:
            raise ValueError(f"size: want a multiple of 32 pixels, got {self.size}")


class PoseLogits(NamedTuple):
    """What training sees, float32.

    heatmaps : (B, K, h, h) logits; their softmax is where the joint may be.
    presence : (B, K) logits of the joint being drawn at all.
    mask : (B, S, S) logits of the pixel belonging to the figure.
    """

    heatmaps: Tensor
    presence: Tensor
    mask: Tensor


class PoseNetwork(Pyramid):
    """(B, S, S, 3) uint8 RGB to PoseLogits."""

    def __init__(self, config: PoseConfig) -> None:
        super().__init__(config.stem, config.channels, config.blocks)
        self.config = config
        c4, c8, _, c32 = config.channels
        self.up4 = UpBlock(c8, c4)
        self.refine4 = ResidualBlock(c4, c4)
        self.heatmap_head = nn.Conv2d(c4, config.keypoints, 1)
        self.presence_head = nn.Linear(c32, config.keypoints)
        # The mask has the input's resolution: a pencil line is a pixel or two wide there. Four logits a
        # cell at stride 2 (Shi et al. 2016) cost a third of convolutions at stride 1; the stem, with more
        # channels than the 12 values it sees afresh at each step, carries the detail.
        self.mask_up2 = ConvNorm(c4, config.stem, kernel=1, relu=False)
        self.mask_refine2 = ConvNorm(config.stem, config.stem)
        self.mask_head = nn.Conv2d(config.stem, 4, 3, padding=1)
        initialise(self)
        nn.init.normal_(self.heatmap_head.weight, std=0.01)  # start from "anywhere"

    def forward(self, images: Tensor) -> PoseLogits:
        """(B, S, S, 3) uint8 RGB; see PoseLogits."""
        x2, x4, x32, y8 = self.features(images)
        y4 = self.refine4(self.up4(y8, x4))  # (B, c4, S/4, S/4)
        m2 = functional.interpolate(self.mask_up2(y4), scale_factor=2.0, mode="nearest")
        m2 = self.mask_refine2(functional.relu(m2 + x2))  # (B, stem, S/2, S/2)
        mask = functional.pixel_shuffle(self.mask_head(m2), 2)  # (B, 1, S, S)
        return PoseLogits(
            heatmaps=self.heatmap_head(y4).float(),
            presence=self.presence_head(x32.mean(dim=(2, 3))).float(),
            mask=mask.squeeze(1).float(),
        )


class PoseDecoder(nn.Module):
    """The network with its post-processing: what is exported."""

    def __init__(self, network: PoseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, S, 3) uint8 RGB to keypoints and mask.

        keypoints : (B, K, 3) float32: x, y in input pixels, confidence 0 to 1.
        mask : (B, S, S) float32, probability of the pixel belonging to the figure.
        """
        logits = self.network(images)
        keypoints = decode_heatmaps(logits.heatmaps, self.network.config.decode_radius_px)
        confidence = keypoints[..., 2:] * logits.presence.sigmoid().unsqueeze(-1)
        return torch.cat([keypoints[..., :2], confidence], dim=-1), logits.mask.sigmoid()


def decode_heatmaps(heatmaps: Tensor, radius_px: float) -> Tensor:
    """Locate each joint by a soft-argmax around the heatmap's peak.

    A soft-argmax over the whole map (Sun et al. 2018) falls between two places when both are likely; a
    Gaussian window about the peak keeps the better one at sub-cell precision. The probability within the
    window is how sure the network is.

    heatmaps : (B, K, h, w) float32 logits.
    Returns (B, K, 3) float32: x, y in input pixels, probability 0 to 1.
    """
    height, width = heatmaps.shape[-2:]
    xs, ys = cell_centres(heatmaps, HEATMAP_STRIDE)
    flat = heatmaps.flatten(2).softmax(dim=-1)  # (B, K, h * w)
    probability = flat.view(-1, heatmaps.shape[1], height, width)
    peak = flat.argmax(dim=-1)  # (B, K)
    x, y = xs[peak % width], ys[torch.div(peak, width, rounding_mode="floor")]
    mass = x
    # Each round moves the window from the peak's cell towards the mean, which it biases less and less.
    for _ in range(_DECODE_ROUNDS):
        window_x = (-0.5 * ((xs - x.unsqueeze(-1)) / radius_px) ** 2).exp()  # (B, K, w)
        window_y = (-0.5 * ((ys - y.unsqueeze(-1)) / radius_px) ** 2).exp()  # (B, K, h)
        near = probability * (window_y.unsqueeze(-1) * window_x.unsqueeze(-2))
        mass = near.sum(dim=(2, 3))
        x = (near.sum(dim=2) * xs).sum(dim=-1) / mass
        y = (near.sum(dim=3) * ys).sum(dim=-1) / mass
    return torch.stack([x, y, mass], dim=-1)
