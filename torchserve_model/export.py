"""Exports checkpoints for serving, after comparing each export with the network it came from.

python -m torchserve_model.export --detector DIR/checkpoint.pt --pose DIR/checkpoint.pt [--out weights]

Writes detector.onnx and pose.onnx, with normalisation and post-processing inside the graph, and models.json,
once all comparisons are done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from torchserve_model.checkpoint import Checkpoint, build, config_from, decoder
from torchserve_model.networks.blocks import ConvNorm
from torchserve_model.predictor import MODELS_FILE, WEIGHTS_DIR, OnnxBackend

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference between an export and its network: in pixels, in probability, in score."""

_HALF = "_half"
OUTPUT_NAMES = {"pose": ("keypoints", "masks"), "detector": ("boxes", "scores")}


def serving_module(checkpoint: Checkpoint) -> nn.Module:
    """The network with its post-processing, its weights rounded to what the files store.

    Weights are stored in 16 bits, which halves the repository's share, and computed with in 32. Rounding here
    rather than in the files keeps all three forms of a network equal. Batch norms are folded into their
    convolutions first, as the ONNX exporter would do after the rounding.
    """
    network = checkpoint.network()
    fold_norms(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return decoder(network).eval()


def load_serving_module(weights_dir: Path, kind: str) -> tuple[nn.Module, int]:
    """Rebuild the serving module from exported ONNX weights; returns it and its input size in pixels."""
    entry = json.loads((weights_dir / MODELS_FILE).read_text())[kind]
    config = config_from(kind, entry["config"])
    network = build(config).eval()
    fold_norms(network)
    module = decoder(network).eval()
    stored = {
        tensor.name.removesuffix(_HALF): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in onnx.load(str(weights_dir / entry["file"])).graph.initializer
    }
    module.load_state_dict({name: stored[name] for name in module.state_dict()})
    return module, config.size


def fold_norms(network: nn.Module) -> None:
    """Fold every batch norm of a trained network into its convolution."""
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()


def export_torchscript(module: nn.Module, size: int) -> torch.jit.ScriptModule:
    """Trace a serving module; the batch size stays free."""
    with warnings.catch_warnings():
        # TorchServe's archives hold TorchScript, whatever torch thinks of its future.
        warnings.simplefilter("ignore", DeprecationWarning)
        traced: torch.jit.ScriptModule = torch.jit.trace(module, (_sample(size),))  # type: ignore[no-untyped-call]
    return traced


def export_onnx(module: nn.Module, size: int, kind: str, path: Path) -> None:
    """Write a serving module as ONNX with a free batch size and 16-bit weights."""
    names = ("images", *OUTPUT_NAMES[kind])
    with warnings.catch_warnings():
        # The newer exporter needs another package, and gives the same graph for these networks.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (_sample(size),),
            str(path),
            input_names=["images"],
            output_names=list(OUTPUT_NAMES[kind]),
            dynamic_axes={name: {0: "batch"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.save(_halve_weights(model), str(path))


def _halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 initialisers in 16 bits, with a cast that the runtime folds away when it loads."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 256:
            continue
        stored = f"{tensor.name}{_HALF}"
        casts.append(onnx.helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def largest_difference(
    one: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], ...]],
    other: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], ...]],
    images: NDArray[np.uint8],
) -> float:
    """Largest absolute difference between any outputs of two forms of a network on (B, S, S, 3) images."""
    pairs = zip(one(images), other(images), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def as_function(module: nn.Module) -> Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], ...]]:
    """A torch module as a function of arrays."""

    def run(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        with torch.inference_mode():
            return tuple(output.numpy() for output in module(torch.from_numpy(images)))

    return run


def export(
    checkpoint: Checkpoint, folder: Path, images: NDArray[np.uint8], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one network's weights to a folder and describe them, ready for models.json.

    images : (B, S, S, 3) uint8, drawings to compare the exports on.
    figures : what an evaluation measured.
    Raises ValueError when an export differs from its network by more than TOLERANCE.
    """
    module, size = serving_module(checkpoint), checkpoint.config.size
    path = folder / f"{checkpoint.kind}.onnx"
    export_onnx(module, size, checkpoint.kind, path)
    reference = as_function(module)
    for name, run in (
        ("ONNX", OnnxBackend(path).run),
        ("TorchScript", as_function(export_torchscript(module, size))),
    ):
        difference = largest_difference(reference, run, images)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{checkpoint.kind}: want {name} within {TOLERANCE} of PyTorch, got {difference:.2g}"
            )
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "config": asdict(checkpoint.config),
        "steps": checkpoint.step,
        "training": dict(checkpoint.training),
        "versions": dict(checkpoint.versions),
        "figures": dict(figures),
    }


def write_models_file(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Write models.json and return the version, which follows from the weights."""
    digest = hashlib.sha256("".join(entries[kind]["sha256"] for kind in sorted(entries)).encode())
    version = digest.hexdigest()[:12]
    content = {"version": version, **{kind: entries[kind] for kind in sorted(entries)}}
    (folder / MODELS_FILE).write_text(json.dumps(content, indent=2) + "\n")
    return version


def _sample(size: int) -> Tensor:
    # Two of them: a trace over one would take the batch for a constant where it can.
    return torch.full((2, size, size, 3), 127, dtype=torch.uint8)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    from torchserve_model.evaluate import evaluate, held_out_images

    parser = argparse.ArgumentParser(prog="python -m torchserve_model.export", description=__doc__)
    parser.add_argument("--detector", type=Path, required=True, help="checkpoint of the detector")
    parser.add_argument("--pose", type=Path, required=True, help="checkpoint of the pose network")
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    parser.add_argument("--drawings", type=int, default=500, help="held-out drawings to measure on")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    entries = {}
    with tempfile.TemporaryDirectory(dir=options.out, prefix=".export-") as temporary:
        folder = Path(temporary)
        for path in (options.detector, options.pose):
            checkpoint = Checkpoint.load(path)
            images = held_out_images(checkpoint.kind, checkpoint.config.size, 8)
            figures = evaluate(checkpoint, options.drawings)
            entries[checkpoint.kind] = export(checkpoint, folder, images, figures)
            sys.stdout.write(f"{checkpoint.kind}: {json.dumps(figures)}\n")
        version = write_models_file(folder, entries)
        # Only now that all are found right: a refused network leaves the weights of before.
        for name in (*(entry["file"] for entry in entries.values()), MODELS_FILE):
            (folder / name).replace(options.out / name)
    sys.stdout.write(f"version {version} in {options.out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
