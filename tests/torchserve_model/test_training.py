"""Training, its checkpoints and its curves."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torchserve_model.augment import FLIP_ORDER, jitter_colour  # noqa: E402
from torchserve_model.checkpoint import Checkpoint  # noqa: E402
from torchserve_model.dataset import PoseDataset, SheetDataset, SizeSchedule, Stream, collate_sheets  # noqa: E402
from torchserve_model.losses import pose_loss  # noqa: E402
from torchserve_model.networks.detector import DetectorConfig  # noqa: E402
from torchserve_model.networks.pose import PoseConfig  # noqa: E402
from torchserve_model.predictor import KEYPOINT_NAMES  # noqa: E402
from torchserve_model.stopping import StopRequest  # noqa: E402
from torchserve_model.train import Machine, TrainConfig, learning_rate, train  # noqa: E402

pytestmark = pytest.mark.needs_torch

POSE = PoseConfig(size=64, stem=4, channels=(4, 4, 8, 8), blocks=(1, 1, 1, 1))
DETECTOR = DetectorConfig(size=96, stem=4, channels=(4, 4, 8, 8), blocks=(1, 1, 1, 1), candidates=10)
MACHINE = Machine(workers=0, threads=1)


@pytest.mark.parametrize("network", [POSE, DETECTOR], ids=["pose", "detector"])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    network: PoseConfig | DetectorConfig, tmp_path: Path
) -> None:
    """Three steps, a stop and three more give the weights of six steps, bit for bit."""
    config = TrainConfig(steps=6, batch=2, small_size=32, small_part=0.5)
    straight = train(network, config, MACHINE, tmp_path / "straight")
    train(network, config, MACHINE, tmp_path / "broken", stop_at=3)
    resumed = train(network, config, MACHINE, tmp_path / "broken", resume=True)
    assert straight.step == resumed.step == 6
    for name, weight in straight.ema.items():
        assert torch.equal(weight, resumed.ema[name]), name
    tables = [(tmp_path / run / "losses.csv").read_text() for run in ("straight", "broken")]
    assert tables[0] == tables[1]
    assert (tmp_path / "broken" / "losses.png").stat().st_size > 0


def test_a_checkpoint_rebuilds_its_network(tmp_path: Path) -> None:
    """The file alone gives the network with its averaged weights."""
    made = train(POSE, TrainConfig(steps=1, batch=2), MACHINE, tmp_path)
    read = Checkpoint.load(tmp_path / "checkpoint.pt")
    assert (read.kind, read.config, read.step) == ("pose", POSE, 1)
    images = torch.randint(0, 255, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        for one, other in zip(made.network()(images), read.network()(images), strict=True):
            assert torch.equal(one, other)


def test_a_run_is_not_resumed_with_other_settings(tmp_path: Path) -> None:
    """A checkpoint of other settings is refused, with both named."""
    train(POSE, TrainConfig(steps=2, batch=2), MACHINE, tmp_path, stop_at=1)
    with pytest.raises(ValueError, match=r"want a checkpoint of .*steps=3"):
        train(POSE, TrainConfig(steps=3, batch=2), MACHINE, tmp_path, resume=True)


def test_a_run_starts_from_another(tmp_path: Path) -> None:
    """The weights begun with are the other run's averaged ones, and only of the same network."""
    config = TrainConfig(steps=1, batch=2)
    first = train(POSE, config, MACHINE, tmp_path / "first")
    still = replace(config, learning_rate=0.0, initial=first.digest())
    second = train(POSE, still, MACHINE, tmp_path / "second", initial=first)
    for name, weight in first.ema.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(second.weights[name], weight)
    with pytest.raises(ValueError, match="want a network of"):
        train(DETECTOR, config, MACHINE, tmp_path / "third", initial=first)


def test_another_file_is_no_checkpoint(tmp_path: Path) -> None:
    """A file of another format is refused with what was expected."""
    torch.save({"format": 99}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="want a checkpoint of format"):
        Checkpoint.load(tmp_path / "checkpoint.pt")


def test_the_learning_rate_rises_and_falls() -> None:
    """It peaks after the warm-up and ends at nothing."""
    config = TrainConfig(steps=100, warmup=0.1)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] < rates[5] < rates[10] == max(rates)
    assert rates[-1] < 0.01 * max(rates)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_examples_follow_from_seed_and_number() -> None:
    """An example is the same each time; its neighbours, and other splits, are others."""
    dataset = PoseDataset(Stream(3), SizeSchedule(64, 64), 4)
    first = dataset[1]
    assert all(torch.equal(first[name], dataset[1][name]) for name in first)
    assert not torch.equal(first["image"], dataset[2]["image"])
    other = PoseDataset(Stream(3, split=1), SizeSchedule(64, 64), 4)
    assert not torch.equal(first["image"], other[1]["image"])


def test_mirrored_examples_keep_their_labels() -> None:
    """In every example, mirrored or not, the joints that are drawn lie on or by the mask."""
    dataset = PoseDataset(Stream(1), SizeSchedule(128, 128), 30)
    near = []
    for index in range(30):
        example = dataset[index]
        distance = torch.from_numpy(_distance_to(example["mask"].numpy() > 0))
        points = example["keypoints"][example["present"] > 0]
        columns, rows = points.long().clamp(0, 127).unbind(dim=1)
        near += (distance[rows, columns] < 8).tolist()
    assert np.mean(near) > 0.97


def _distance_to(mask: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)


def test_flipping_twice_is_nothing() -> None:
    """Left and right change places, and back."""
    assert [FLIP_ORDER[index] for index in FLIP_ORDER] == list(range(13))
    assert KEYPOINT_NAMES[FLIP_ORDER[KEYPOINT_NAMES.index("left_hand")]] == "right_hand"


def test_colour_jitter_keeps_dark_on_light() -> None:
    """Ink stays darker than paper."""
    image = np.full((20, 20, 3), 230, np.uint8)
    image[5:15, 5:15] = 40
    for seed in range(20):
        varied = jitter_colour(np.random.default_rng(seed), image)
        assert varied.shape == image.shape
        assert varied[:5].mean() > varied[6:14, 6:14].mean() + 60


def test_sheets_of_any_number_of_figures_make_a_batch() -> None:
    """Boxes are padded to the most, and the count says how many are real; all lie on the sheet."""
    dataset = SheetDataset(Stream(2), SizeSchedule(96, 96), 16)
    items = [dataset[index] for index in range(16)]
    batch = collate_sheets(items)
    assert batch["image"].shape == (16, 96, 96, 3)
    assert batch["count"].tolist() == [len(item["boxes"]) for item in items]
    for boxes, count in zip(batch["boxes"], batch["count"], strict=True):
        real = boxes[:count]
        assert (real[:, 2:] > real[:, :2]).all()
        assert (real > -1).all()
        assert (real < 97).all()
        assert not boxes[count:].any()


def test_examples_without_a_figure_have_nothing_present() -> None:
    """The pose network learns to say no: no joint present, an empty mask."""
    stream, size = Stream(2), SizeSchedule(64, 64)
    without = PoseDataset(stream, size, 5, no_figure=1.0)
    assert not any(without[index]["present"].any() or without[index]["mask"].any() for index in range(5))
    always = PoseDataset(stream, size, 5, no_figure=0.0)
    assert all(always[index]["present"].any() and always[index]["mask"].any() for index in range(5))


@pytest.fixture(name="stop")
def _stop() -> Iterator[StopRequest]:
    """Listens for signals until the test ends."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = StopRequest()
    stop.listen()
    yield stop
    for number, handler in handlers.items():
        signal.signal(number, handler)


def at_the_fourth_step(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Do something in the middle of a step, when the batch norms have seen its drawings."""
    steps = itertools.count(1)

    def loss(*arguments: Any) -> Any:
        if next(steps) == 4:
            do()
        return pose_loss(*arguments)

    monkeypatch.setattr("torchserve_model.train.pose_loss", loss)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_by_a_signal_ends_where_an_unbroken_one_does(
    number: signal.Signals, stop: StopRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that it comes in is ended and saved; resumed, the weights are the same, bit for bit."""
    config = TrainConfig(steps=6, batch=2)
    straight = train(POSE, config, MACHINE, tmp_path / "straight")
    at_the_fourth_step(monkeypatch, lambda: os.kill(os.getpid(), number))
    stopped = train(POSE, config, MACHINE, tmp_path / "broken", stop=stop)
    assert stopped.step == 4
    resumed = train(POSE, config, MACHINE, tmp_path / "broken", resume=True)
    assert all(torch.equal(weight, resumed.weights[name]) for name, weight in straight.weights.items())
    assert all(torch.equal(weight, resumed.ema[name]) for name, weight in straight.ema.items())


def test_a_run_that_fails_keeps_its_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step leaves behind that ended half-way is not saved over it."""

    def fail() -> None:
        raise MemoryError

    config = TrainConfig(steps=6, batch=2)
    straight = train(POSE, config, MACHINE, tmp_path / "straight")
    at_the_fourth_step(monkeypatch, fail)
    with pytest.raises(MemoryError):
        train(POSE, config, MACHINE, tmp_path / "broken", save_every=2)
    assert Checkpoint.load(tmp_path / "broken" / "checkpoint.pt").step == 2
    resumed = train(POSE, config, MACHINE, tmp_path / "broken", resume=True)
    assert all(torch.equal(weight, resumed.weights[name]) for name, weight in straight.weights.items())


def test_a_second_signal_does_not_wait(stop: StopRequest) -> None:
    """It interrupts at once."""
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.made
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
