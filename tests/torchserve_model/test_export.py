"""One network in three forms: PyTorch, ONNX and TorchScript."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torchserve_model.checkpoint import Checkpoint, build  # noqa: E402
from torchserve_model.evaluate import held_out_images  # noqa: E402
from torchserve_model.export import (  # noqa: E402
    TOLERANCE,
    as_function,
    export,
    export_torchscript,
    largest_difference,
    load_serving_module,
    main,
    serving_module,
    write_models_file,
)
from torchserve_model.networks.detector import DetectorConfig  # noqa: E402
from torchserve_model.networks.pose import PoseConfig  # noqa: E402
from torchserve_model.predictor import MODELS_FILE, WEIGHTS_DIR, OnnxBackend  # noqa: E402

pytestmark = pytest.mark.needs_torch

TINY = {
    "pose": PoseConfig(size=64, stem=4, channels=(4, 4, 8, 8), blocks=(1, 1, 1, 1)),
    "detector": DetectorConfig(size=96, stem=4, channels=(4, 4, 8, 8), blocks=(1, 1, 1, 1), candidates=10),
}
EXPORTED = ["detector.onnx", MODELS_FILE, "pose.onnx"]
MIB = 2**20


def random_checkpoint(kind: str) -> Checkpoint:
    """A network that no training has touched, its batch norms as if one had."""
    torch.manual_seed(1)
    network = build(TINY[kind])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    if kind == "detector":
        torch.nn.init.normal_(network.centre_head.weight)
    weights = network.state_dict()
    return Checkpoint(kind, TINY[kind], 0, weights, weights, {}, {}, {})


@pytest.mark.parametrize("kind", ["pose", "detector"])
def test_the_repositorys_weights_answer_alike(kind: str) -> None:
    """ONNX, TorchScript and PyTorch agree to 1e-3 on drawings, for batches of any size."""
    module, size = load_serving_module(WEIGHTS_DIR, kind)
    reference = as_function(module)
    script = as_function(export_torchscript(module, size))
    onnx = OnnxBackend(WEIGHTS_DIR / f"{kind}.onnx", intra_op_num_threads=1)
    images = held_out_images(kind, size, 4)
    for batch in (images[:1], images[1:4]):
        assert largest_difference(reference, onnx.run, batch) <= TOLERANCE
        assert largest_difference(reference, script, batch) <= TOLERANCE


@pytest.mark.parametrize("kind", ["pose", "detector"])
def test_weights_return_from_the_exported_file(kind: str, tmp_path: Path) -> None:
    """The network rebuilt from ONNX has the weights that were exported, bit for bit."""
    checkpoint = random_checkpoint(kind)
    images = np.random.default_rng(0).integers(0, 255, (2, TINY[kind].size, TINY[kind].size, 3), np.uint8)
    entry = export(checkpoint, tmp_path, images, {})
    write_models_file(tmp_path, {kind: entry})
    rebuilt, size = load_serving_module(tmp_path, kind)
    assert size == TINY[kind].size
    for name, weight in serving_module(checkpoint).state_dict().items():
        assert torch.equal(rebuilt.state_dict()[name], weight), name


@pytest.mark.parametrize("kind", ["pose", "detector"])
def test_torchscript_runs_in_half_precision(kind: str) -> None:
    """What a GPU is given runs in 16 bits and says about the same."""
    module = serving_module(random_checkpoint(kind))
    size = TINY[kind].size
    images = torch.randint(0, 255, (3, size, size, 3), dtype=torch.uint8)
    script = export_torchscript(module, size)
    with torch.inference_mode():
        whole = script(images)
        half = script.half()(images)
    # Masks and scores; places may jump where an untrained network is undecided.
    torch.testing.assert_close(half[1].float(), whole[1], atol=0.05, rtol=0.05)


def test_models_file_describes_the_weights() -> None:
    """Every network's file is there with the digest that the description gives, all small enough."""
    models = json.loads((WEIGHTS_DIR / MODELS_FILE).read_text())
    files = [WEIGHTS_DIR / models[kind]["file"] for kind in TINY]
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == [
        models[kind]["sha256"] for kind in TINY
    ]
    assert sum(file.stat().st_size for file in files) <= 20 * MIB


def test_the_version_follows_the_weights(tmp_path: Path) -> None:
    """Other weights, another version; the same weights, the same."""
    entries = {"pose": {"sha256": "aa"}, "detector": {"sha256": "bb"}}
    version = write_models_file(tmp_path, entries)
    assert write_models_file(tmp_path, dict(reversed(entries.items()))) == version
    assert write_models_file(tmp_path, {**entries, "pose": {"sha256": "ab"}}) != version


@pytest.fixture(name="command")
def _command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Exports two small networks to a folder with other weights in it."""
    monkeypatch.setattr("torchserve_model.evaluate.evaluate", lambda checkpoint, drawings: {})
    (tmp_path / "weights").mkdir()
    for name in EXPORTED:
        (tmp_path / "weights" / name).write_text("of before")
    command = ["--out", str(tmp_path / "weights")]
    for kind in TINY:
        path = tmp_path / f"{kind}.pt"
        random_checkpoint(kind).save(path)
        command += [f"--{kind}", str(path)]
    return command


def test_an_export_replaces_all_files_and_leaves_no_other(tmp_path: Path, command: list[str]) -> None:
    """Both networks and their description, which agree."""
    assert main(command) == 0
    weights = tmp_path / "weights"
    assert sorted(path.name for path in weights.iterdir()) == EXPORTED
    models = json.loads((weights / MODELS_FILE).read_text())
    for kind in TINY:
        assert models[kind]["sha256"] == hashlib.sha256((weights / f"{kind}.onnx").read_bytes()).hexdigest()


def test_a_refused_export_replaces_nothing(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the two networks is refused: the folder keeps the weights that it had, of both."""
    differences = iter((0.0, 0.0, 2 * TOLERANCE))
    monkeypatch.setattr("torchserve_model.export.largest_difference", lambda *_: next(differences))
    with pytest.raises(ValueError, match="within"):
        main(command)
    weights = tmp_path / "weights"
    assert {path.name: path.read_text() for path in weights.iterdir()} == dict.fromkeys(EXPORTED, "of before")
