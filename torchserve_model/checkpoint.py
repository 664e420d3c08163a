"""Checkpoints that carry all that is needed to rebuild the network and to go on training."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchserve_model.networks.detector import DetectorConfig, DetectorDecoder, DetectorNetwork
from torchserve_model.networks.pose import PoseConfig, PoseDecoder, PoseNetwork

FORMAT = 1
NetworkConfig = PoseConfig | DetectorConfig
KINDS = ("pose", "detector")


@dataclass(frozen=True)
class Checkpoint:
    """A network at one moment of its training.

    kind : "pose" or "detector".
    config : the network's configuration.
    step : optimiser steps taken.
    ema : averaged weights, those to use.
    weights, optimiser : the training's own state.
    training : settings of the run.
    versions : of what it was made with.
    """

    kind: str
    config: NetworkConfig
    step: int
    ema: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    training: Mapping[str, Any]
    versions: Mapping[str, str]

    def save(self, path: Path) -> None:
        """Write, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "config": asdict(self.config),
            "step": self.step,
            "ema": dict(self.ema),
            "weights": dict(self.weights),
            "optimiser": dict(self.optimiser),
            "training": dict(self.training),
            "versions": dict(self.versions),
        }
        partial = path.with_suffix(".partial")
        torch.save(content, partial)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read what `save` wrote; ValueError for a file of another kind or format."""
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.get("format") != FORMAT or content.get("kind") not in KINDS:
            raise ValueError(
                f"{path}: want a checkpoint of format {FORMAT} and a kind of {KINDS}, got format "
                f"{content.get('format')!r} and kind {content.get('kind')!r}; train it again"
            )
        return cls(
            kind=content["kind"],
            config=config_from(content["kind"], content["config"]),
            step=content["step"],
            ema=content["ema"],
            weights=content["weights"],
            optimiser=content["optimiser"],
            training=content["training"],
            versions=content["versions"],
        )

    def digest(self) -> str:
        """Name the averaged weights: the beginning of their SHA-256."""
        content = hashlib.sha256()
        for name, weight in sorted(self.ema.items()):
            content.update(name.encode())
            content.update(weight.contiguous().numpy().tobytes())
        return content.hexdigest()[:12]

    def network(self) -> PoseNetwork | DetectorNetwork:
        """The network with the averaged weights, ready to be asked."""
        network = build(self.config)
        network.load_state_dict(dict(self.ema))
        return network.eval()


def config_from(kind: str, fields: Mapping[str, Any]) -> NetworkConfig:
    """A configuration from plain values, in which tuples may have become lists."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return PoseConfig(**values) if kind == "pose" else DetectorConfig(**values)


def build(config: NetworkConfig) -> PoseNetwork | DetectorNetwork:
    """A fresh network; its initial weights follow torch's random state."""
    return PoseNetwork(config) if isinstance(config, PoseConfig) else DetectorNetwork(config)


def decoder(network: PoseNetwork | DetectorNetwork) -> nn.Module:
    """The network with its post-processing."""
    return PoseDecoder(network) if isinstance(network, PoseNetwork) else DetectorDecoder(network)


def library_versions() -> dict[str, str]:
    """Versions of what a training's result depends on."""
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "opencv": version("opencv-python-headless"),
        "drawing-animation": version("drawing-animation"),
    }
