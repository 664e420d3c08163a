"""Replaces the models of a running TorchServe without failing a request.

python -m torchserve_model.swap ARCHIVE.mar... --store DIR [--management-port 8081]

Registers the new versions beside the old ones, waits until they answer, makes them the ones that requests go
to, lets the old ones finish what they are at, and removes them. When a new version does not come up, it is
removed and the old one goes on as if nothing had been. TorchServe has to run with --model-api
(torchserve_model.serve). Going back is the same command with the former archives.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from torchserve_model.management import Model, TorchServeError, call, describe, model_path
from torchserve_model.serve import read_manifest

TIMEOUT_S = 30.0
"""Of one call; unpacking an archive is the longest."""
START_TIMEOUT_S = 120.0
"""Longest wait for a new version's workers, for TorchServe does not tell one that fails from one that starts.
On a GPU that nothing used yet a worker takes half a minute.
"""
POLL_S = 0.2

Report = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds.

    start_s : for a new version's workers. drain_s : how long an old version goes on once no request waits for
    it; None for the longest that TorchServe lets a request take.
    """

    start_s: float = START_TIMEOUT_S
    drain_s: float | None = None


@dataclass(frozen=True)
class Step:
    """One model's change.

    archive : the new version's file. old : what requests go to now.
    """

    archive: Path
    name: str
    version: str
    old: Model


def plan(archives: Sequence[Path], management_port: int) -> list[Step]:
    """Find out what has to change; archives that are in service already need nothing.

    Raises TorchServeError where a model is not served at all, ValueError for a file that is no archive.
    """
    steps = []
    for archive in archives:
        name, version = read_manifest(archive)
        old = describe(management_port, name, TIMEOUT_S)
        if old.version != version:
            steps.append(Step(archive, name, version, old))
    return steps


def swap(
    steps: Sequence[Step], store: Path, management_port: int, patience: Patience, report: Report
) -> None:
    """Carry the steps out, all models together, so that they are of one version but for a moment.

    store : TorchServe's model store, which has to be writable.
    Raises TorchServeError or OSError; requests then go to the old versions, as before.
    """
    try:
        for step in steps:
            report(f"{step.name}: starting {step.version} beside {step.old.version}")
            _register(step, store, management_port, patience.start_s)
        for step in steps:
            _make_default(step.name, step.version, management_port)
            report(f"{step.name}: requests go to {step.version}")
    except BaseException:
        for step in steps:
            _undo(step, store, management_port)
        raise
    _drain(steps, management_port, patience.drain_s)
    for step in steps:
        _unregister(step.name, step.old.version, management_port)
        (store / step.old.archive).unlink(missing_ok=True)
        report(f"{step.name}: {step.old.version} removed")


def _register(step: Step, store: Path, port: int, longest_s: float) -> None:
    """Load a version beside the one in service and wait until all of its workers answer."""
    placed = _placed(step, store)
    partial = placed.with_suffix(".partial")
    shutil.copyfile(step.archive, partial)
    partial.replace(placed)
    workers = max(1, step.old.min_workers)
    try:
        # Without workers at first: until those it is registered with are up, TorchServe would keep one of its
        # threads waiting, and with it whoever else that thread serves.
        call(
            port, "POST", "/models", TIMEOUT_S, url=placed.name, model_name=step.name, initial_workers=0,
            batch_size=step.old.batch_size, max_batch_delay=step.old.max_batch_delay_ms,
            response_timeout=step.old.response_timeout_s,
        )  # fmt: skip
    except TorchServeError as exc:
        # A swap that was cut short left the version registered; it may be about to answer.
        if exc.status != HTTPStatus.CONFLICT:
            raise
    _scale(step.name, step.version, workers, port)
    _wait(
        lambda: describe(port, step.name, TIMEOUT_S, step.version).ready,
        f"{step.name}: workers of {step.version} not READY",
        longest_s,
    )


def _scale(name: str, version: str, workers: int, port: int) -> None:
    call(port, "PUT", model_path(name, version), TIMEOUT_S, min_worker=workers, max_worker=workers)


def _wait(outcome: Callable[[], bool], otherwise: str, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while not outcome():
        if time.monotonic() > deadline:
            raise TorchServeError(f"{otherwise} after {longest_s:.0f} s")
        time.sleep(POLL_S)


def _make_default(name: str, version: str, port: int) -> None:
    call(port, "PUT", f"{model_path(name, version)}/set-default", TIMEOUT_S)


def _unregister(name: str, version: str, port: int) -> None:
    """End a version's workers, then forget it: in one step TorchServe would keep others waiting."""
    _scale(name, version, 0, port)
    _wait(
        lambda: not describe(port, name, TIMEOUT_S, version).workers,
        f"{name}: workers of {version} not gone",
        TIMEOUT_S,
    )
    call(port, "DELETE", model_path(name, version), TIMEOUT_S)


def _drain(steps: Sequence[Step], port: int, drain_s: float | None) -> None:
    """Wait until no old version can have a request any more."""
    # TorchServe says how many requests wait, not how many its workers are at: for these, time has to pass.
    while any(describe(port, step.name, TIMEOUT_S, step.old.version).pending for step in steps):
        time.sleep(POLL_S)
    longest_s = max((step.old.response_timeout_s for step in steps), default=0)
    time.sleep(longest_s if drain_s is None else drain_s)


def _undo(step: Step, store: Path, port: int) -> None:
    """Send requests to the old version again and remove the new one, as far as they got."""
    try:
        _make_default(step.name, step.old.version, port)
        _unregister(step.name, step.version, port)
    except TorchServeError as exc:
        # Not registered: there is nothing to remove. What else goes wrong here must not hide the first error.
        if exc.status != HTTPStatus.NOT_FOUND:
            sys.stderr.write(f"{step.name}: while going back: {exc}\n")
    _placed(step, store).unlink(missing_ok=True)


def _placed(step: Step, store: Path) -> Path:
    return store / f"{step.name}-{step.version}.mar"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.swap", description=__doc__)
    parser.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE.mar")
    parser.add_argument("--store", type=Path, required=True, help="TorchServe's model store: RUN_DIR/store")
    parser.add_argument("--management-port", type=int, default=8081)
    parser.add_argument(
        "--start-s", type=float, default=START_TIMEOUT_S, help="longest wait for the new versions, each"
    )
    parser.add_argument(
        "--drain-s",
        type=float,
        help="how long the old versions go on; default: the longest a request may take",
    )
    options = parser.parse_args(argv)
    try:
        steps = plan(options.archives, options.management_port)
        patience = Patience(options.start_s, options.drain_s)
        swap(steps, options.store, options.management_port, patience, _say)
    except (TorchServeError, OSError, ValueError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    if not steps:
        _say("in service already")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
