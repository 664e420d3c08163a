"""Packs the networks into the archives that TorchServe loads.

python -m torchserve_model.archive -o DIR [--weights DIR]

An archive holds the ONNX weights, the same network as TorchScript for GPUs, and a handler. The handler
imports this package, which has to be installed where the model workers run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from model_archiver.model_archiver import ModelArchiver
from model_archiver.model_archiver_config import ModelArchiverConfig

from torchserve_model.export import export_torchscript, load_serving_module
from torchserve_model.predictor import MODELS_FILE, WEIGHTS_DIR, models_version

MODEL_NAMES = {"detector": "drawn_humanoid_detector", "pose": "drawn_humanoid_pose_estimator"}
"""Network to the name under which TorchServe serves it."""

_HANDLERS = Path(__file__).parent / "handlers"


def archive(out: Path, weights_dir: Path = WEIGHTS_DIR) -> list[Path]:
    """Write both archives to the folder `out`, replacing older ones; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    version = models_version(weights_dir)
    paths = []
    for kind, name in MODEL_NAMES.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / f"{kind}.pt"
            module, size = load_serving_module(weights_dir, kind)
            export_torchscript(module, size).save(str(script))
            ModelArchiver.generate_model_archive(
                ModelArchiverConfig(
                    model_name=name,
                    handler=str(_HANDLERS / f"{kind}_handler.py"),
                    version=version,
                    serialized_file=str(script),
                    extra_files=f"{weights_dir / f'{kind}.onnx'},{weights_dir / MODELS_FILE}",
                    export_path=str(out),
                    force=True,
                )
            )
        paths.append(out / f"{name}.mar")
    return paths


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.archive", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the archives")
    parser.add_argument("--weights", type=Path, default=WEIGHTS_DIR, help="folder of exported weights")
    options = parser.parse_args(argv)
    for path in archive(options.out, options.weights):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
