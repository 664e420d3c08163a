"""What both networks are built of. Shapes: B batch, C channels, H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Mean and spread of 8-bit photographs of paper, rounded. Only the scale matters: batch norm follows.
_MEAN, _STD = 160.0, 64.0


class Normalise(nn.Module):
    """(B, H, W, 3) uint8 RGB to (B, 3, H, W) in the network's precision, about zero mean and unit spread."""

    def forward(self, images: Tensor, like: Tensor) -> Tensor:
        """Take the dtype of `like`, a weight, so that half-precision networks get half-precision input."""
        return (images.permute(0, 3, 1, 2).type_as(like) - _MEAN) / _STD


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, a ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1, *, relu: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(c_out),
        ]
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)

    def fold(self) -> None:
        """Make the batch norm of a trained network part of the convolution; it cannot be trained after."""
        convolution, norm = self[0], self[1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            self[0], self[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016), the first with the stride."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = ConvNorm(c_in, c_out, stride=stride)
        self.conv2 = ConvNorm(c_out, c_out, relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.shortcut = ConvNorm(c_in, c_out, kernel=1, stride=stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H / stride, W / stride)."""
        return functional.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class Stage(nn.Sequential):
    """A strided residual block and `blocks - 1` plain ones."""

    def __init__(self, c_in: int, c_out: int, blocks: int) -> None:
        first = ResidualBlock(c_in, c_out, stride=2)
        super().__init__(first, *(ResidualBlock(c_out, c_out) for _ in range(blocks - 1)))


class UpBlock(nn.Module):
    """Doubles the resolution and joins the encoder's features of that resolution (U-Net, by addition)."""

    def __init__(self, c_in: int, c_skip: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(c_in, c_skip, kernel=1, relu=False)
        self.block = ResidualBlock(c_skip, c_skip)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C_in, H, W) and (B, C_skip, 2H, 2W) to (B, C_skip, 2H, 2W)."""
        up = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        out: Tensor = self.block(functional.relu(up + skip))
        return out


class Features(NamedTuple):
    """What a pyramid sees: on the way down at strides 2, 4 and 32, and back up, with all in view, at 8."""

    x2: Tensor
    x4: Tensor
    x32: Tensor
    y8: Tensor


class Pyramid(nn.Module):
    """Down to stride 32 and back up to stride 8; both networks are one, with heads of their own.

    They derive from it, for the names of parameters in checkpoints and exports are those of attributes.
    """

    def __init__(self, stem: int, channels: Sequence[int], blocks: Sequence[int]) -> None:
        """stem, channels : after the stem, and at strides 4, 8, 16 and 32. blocks : residual ones there."""
        super().__init__()
        c4, c8, c16, c32 = channels
        b4, b8, b16, b32 = blocks
        self.normalise = Normalise()
        self.stem = ConvNorm(3, stem, stride=2)
        self.down4 = Stage(stem, c4, b4)
        self.down8 = Stage(c4, c8, b8)
        self.down16 = Stage(c8, c16, b16)
        self.down32 = Stage(c16, c32, b32)
        self.up16 = UpBlock(c32, c16)
        self.up8 = UpBlock(c16, c8)

    def features(self, images: Tensor) -> Features:
        """(B, S, S, 3) uint8 RGB to features, each (B, C, S / stride, S / stride)."""
        x2 = self.stem(self.normalise(images, self.stem[0].weight))
        x4 = self.down4(x2)
        x8 = self.down8(x4)
        x16 = self.down16(x8)
        x32 = self.down32(x16)
        return Features(x2, x4, x32, self.up8(self.up16(x32, x16), x8))


def initialise(network: nn.Module) -> None:
    """He initialisation; the last batch norm of each residual block starts at zero (Goyal et al. 2017)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            norm = module.conv2[1]
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.zeros_(norm.weight)


def cell_centres(feature_map: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Columns' x (W,) and rows' y (H,) of a (B, C, H, W) float32 feature map, in input pixels."""
    # Counted from the map itself: a trace would write down the size and the device of torch.arange.
    xs = torch.ones_like(feature_map[0, 0, 0, :]).cumsum(0)
    ys = torch.ones_like(feature_map[0, 0, :, 0]).cumsum(0)
    return (xs - 0.5) * stride, (ys - 0.5) * stride
