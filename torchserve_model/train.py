"""Trains a network from nothing, on drawings made as it goes.

python -m torchserve_model.train pose|detector --steps N --out DIR [--resume]

Writes to DIR: checkpoint.pt, losses.csv and losses.png. The same settings give the same weights on the same
machine, also when the run was interrupted and resumed.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from torchserve_model.checkpoint import Checkpoint, NetworkConfig, build, library_versions
from torchserve_model.curve import LossLog
from torchserve_model.dataset import (
    Batch,
    PoseDataset,
    SheetDataset,
    SizeSchedule,
    Stream,
    collate_sheets,
    quiet_worker,
)
from torchserve_model.losses import Terms, detector_loss, pose_loss
from torchserve_model.networks.detector import DetectorConfig
from torchserve_model.networks.pose import PoseConfig
from torchserve_model.stopping import StopRequest


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one run.

    steps : optimiser steps from first to last; the learning rate falls to zero over them.
    batch : drawings a step.
    small_size : pixels a side of the first steps, which learn as much of a drawing in less time (progressive
        resizing, Tan and Le 2021); 0 for the network's own size throughout.
    small_part : part of the steps taken at that size.
    learning_rate, weight_decay : of AdamW; norms and biases do not decay.
    warmup : part of the steps over which the learning rate rises.
    ema_horizon : part of the steps that the averaged weights remember; well below one.
    clip_norm : largest gradient norm.
    seed : of weights and drawings.
    initial : digest of the weights started from, see Checkpoint.digest; empty for a start from nothing.
    """

    steps: int
    batch: int = 32
    small_size: int = 0
    small_part: float = 0.65
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.03
    ema_horizon: float = 0.03
    clip_norm: float = 5.0
    seed: int = 0
    initial: str = ""


@dataclass(frozen=True)
class Machine:
    """How to use the machine; changes the speed, not what is learnt (but for rounding).

    workers : processes that draw.
    threads : of torch on the CPU, 0 for its own choice.
    bfloat16 : compute in bfloat16 under float32 weights.
    """

    workers: int = 2
    threads: int = 0
    bfloat16: bool = False

    @classmethod
    def of_this(cls, workers: int, threads: int) -> Machine:
        """Use bfloat16 where the hardware has it: about twice as fast here, and no worse."""
        fast = torch.cuda.is_available() or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
        return cls(workers, threads, fast)


class Trainer:
    """The state of one run: network, average, optimiser, step."""

    def __init__(self, network_config: NetworkConfig, config: TrainConfig, machine: Machine) -> None:
        self.network_config, self.config, self.machine = network_config, config, machine
        self.kind = "pose" if isinstance(network_config, PoseConfig) else "detector"
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if machine.threads:
            torch.set_num_threads(machine.threads)
        torch.manual_seed(config.seed)
        self.network = build(network_config).to(self.device)
        channels_last(self.network)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(requires_grad=False)
        decaying = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": decaying, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Begin with the averaged weights of another run instead of random ones."""
        if checkpoint.config != self.network_config:
            raise ValueError(f"start: want a network of {self.network_config}, got {checkpoint.config}")
        self.network.load_state_dict(dict(checkpoint.ema))
        self.average.load_state_dict(dict(checkpoint.ema))

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on where a run of the same settings stopped."""
        if checkpoint.config != self.network_config or checkpoint.training != asdict(self.config):
            raise ValueError(
                f"resume: want a checkpoint of {self.network_config} trained with {self.config}, got "
                f"{checkpoint.config} trained with {dict(checkpoint.training)}; "
                "use its settings or another folder"
            )
        self.network.load_state_dict(dict(checkpoint.weights))
        self.average.load_state_dict(dict(checkpoint.ema))
        self.optimiser.load_state_dict(dict(checkpoint.optimiser))
        self.step = checkpoint.step

    def checkpoint(self) -> Checkpoint:
        """All of it, to be saved."""
        return Checkpoint(
            kind=self.kind,
            config=self.network_config,
            step=self.step,
            ema=self.average.state_dict(),
            weights=self.network.state_dict(),
            optimiser=self.optimiser.state_dict(),
            training=asdict(self.config),
            versions=library_versions(),
        )

    def batches(self, last_step: int) -> Iterator[Batch]:
        """Batches from the present step up to `last_step`; step s holds drawings s * batch onwards."""
        batch, pose = self.config.batch, self.kind == "pose"
        length = last_step * batch
        small = self.config.small_size or self.network_config.size
        small_until = round(self.config.small_part * self.config.steps) * batch
        size = SizeSchedule(small, self.network_config.size, small_until)
        stream = Stream(self.config.seed)
        dataset = PoseDataset(stream, size, length) if pose else SheetDataset(stream, size, length)
        loader: DataLoader[Batch] = DataLoader(
            dataset,
            batch_size=batch,
            sampler=range(self.step * batch, length),
            num_workers=self.machine.workers,
            collate_fn=None if pose else collate_sheets,
            worker_init_fn=quiet_worker,
            prefetch_factor=4 if self.machine.workers else None,
            pin_memory=self.device.type == "cuda",
        )
        return iter(loader)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One step down the gradient; returns the loss's terms and their sum."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        on_device = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.machine.bfloat16):
            logits: Any = self.network(on_device["image"])
        terms: Terms = (pose_loss if self.kind == "pose" else detector_loss)(logits, on_device)
        loss = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return {"loss": float(loss.detach()), **{name: float(term.detach()) for name, term in terms.items()}}

    @torch.no_grad()
    def _update_average(self) -> None:
        horizon = max(1.0, self.config.ema_horizon * self.config.steps)
        # Short at first, so that the random beginning is forgotten.
        decay = min(1.0 - 1.0 / horizon, (1.0 + self.step) / (10.0 + self.step))
        latest: dict[str, Tensor] = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(latest[name], 1.0 - decay)
            else:
                value.copy_(latest[name])


def channels_last(network: nn.Module) -> None:
    """Lay out convolutions as the input comes, pixel by pixel: a fifth faster on the CPU."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear rise, then half a cosine down to nothing."""
    warmup = max(1.0, config.warmup * config.steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1.0, config.steps - warmup)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def train(
    network_config: NetworkConfig,
    config: TrainConfig,
    machine: Machine,
    out: Path,
    *,
    resume: bool = False,
    stop_at: int | None = None,
    save_every: int = 250,
    initial: Checkpoint | None = None,
    stop: StopRequest | None = None,
) -> Checkpoint:
    """Train, saving to `out` every `save_every` steps, at the end and when asked to stop.

    Whatever else ends it leaves the checkpoint of before: a network may have been left within a step.

    resume : go on from `out`'s checkpoint, if it holds one.
    stop_at : step to stop at, before `config.steps`; a later resume takes it from there.
    initial : what to start from, see TrainConfig.
    stop : looked at after every step.
    """
    path = out / "checkpoint.pt"
    trainer = Trainer(network_config, config, machine)
    if initial is not None:
        trainer.start_from(initial)
    if resume and path.exists():
        trainer.resume(Checkpoint.load(path))
    log = LossLog(out, keep_until=trainer.step)
    last_step = min(config.steps, stop_at or config.steps)
    progress = tqdm(
        trainer.batches(last_step), initial=trainer.step, total=last_step, unit="step", disable=None
    )
    for batch in progress:
        terms = trainer.train_step(batch)
        log.add(trainer.step, terms)
        progress.set_postfix(loss=f"{terms['loss']:.3f}", refresh=False)
        if stop is not None and stop.made:
            break
        if trainer.step % save_every == 0:
            trainer.checkpoint().save(path)
            log.draw()
    trainer.checkpoint().save(path)
    log.draw()
    return trainer.checkpoint()


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.train", description=__doc__)
    parser.add_argument("network", choices=("pose", "detector"))
    parser.add_argument("--steps", type=int, required=True, help="optimiser steps of the whole run")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and curves")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument("--stop-at", type=int, help="stop early at this step, to be resumed")
    parser.add_argument("--start-from", type=Path, help="checkpoint whose weights to begin with")
    parser.add_argument("--small-part", type=float, default=TrainConfig.small_part, help="of the steps")
    parser.add_argument("--batch", type=int, default=TrainConfig.batch)
    parser.add_argument("--learning-rate", type=float, default=TrainConfig.learning_rate)
    parser.add_argument("--seed", type=int, default=TrainConfig.seed)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    parser.add_argument("--threads", type=int, default=0, help="torch threads, 0 for torch's own choice")
    options = parser.parse_args(argv)
    network_config = PoseConfig() if options.network == "pose" else DetectorConfig()
    initial = Checkpoint.load(options.start_from) if options.start_from else None
    config = TrainConfig(
        steps=options.steps,
        batch=options.batch,
        small_size=128 if options.network == "pose" else 192,
        small_part=options.small_part,
        learning_rate=options.learning_rate,
        seed=options.seed,
        initial=initial.digest() if initial else "",
    )
    machine = Machine.of_this(options.workers, options.threads)
    # Whatever stops a run in the background stops it as Ctrl-C would: with a checkpoint.
    stop = StopRequest()
    stop.listen()
    with suppress(KeyboardInterrupt):  # of a second signal
        train(
            network_config,
            config,
            machine,
            options.out,
            resume=options.resume,
            stop_at=options.stop_at,
            initial=initial,
            stop=stop,
        )
    if stop.made:
        sys.stderr.write(f"stopped; {options.out} can be resumed with --resume\n")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
