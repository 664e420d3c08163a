"""Networks run by torch: for the GPU, for TorchServe, and for evaluation during training."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class TorchBackend:
    """A serving module (see export.serving_module), eager or TorchScript; a predictor.Backend."""

    def __init__(self, module: nn.Module, size: int, device: str) -> None:
        """Move the module to `device`; on a GPU it computes in half precision."""
        self.size = size
        self._device = torch.device(device)
        self._module = module.eval().to(device)
        if self._device.type == "cuda":
            self._module = self._module.half()

    @classmethod
    def load(cls, path: Path, size: int, device: str) -> TorchBackend:
        """Read a TorchScript file."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # see export.export_torchscript
            module: nn.Module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
        return cls(module, size, device)

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See predictor.Backend."""
        with torch.inference_mode():
            first, second = self._module(torch.from_numpy(images).to(self._device))
        return first.float().cpu().numpy(), second.float().cpu().numpy()
