"""Replaces the models of a running TorchServe without failing a request.

python -m torchserve_model.swap ARCHIVE.mar... --store DIR [--management-port 8081]

Registers the new versions beside the old ones, waits until they answer, makes them the ones that requests go
to, lets the old ones finish what they are at, and removes them. When a new version does not come up, it is
removed and the old one goes on as if nothing had been. TorchServe has to run with --model-api
(torchserve_model.serve). Going back is the same command with the former archives. A swap that was cut short
is finished by the same command again, which removes all versions but the new ones, or by a restart of
TorchServe, which comes up with the versions that requests went to.
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

from torchserve_model.defaults import record_defaults
from torchserve_model.management import Model, TorchServeError, call, describe, describe_all, model_path
from torchserve_model.serve import read_manifest

TIMEOUT_S = 30.0
"""Of one call; unpacking an archive is the longest."""
START_TIMEOUT_S = 120.0
"""Longest wait for a new version's workers, for TorchServe does not tell one that fails from one that starts.
On a GPU that nothing used yet a worker takes half a minute.
"""
QUEUE_TIMEOUT_S = 120.0
"""Longest wait for what is queued for an old version: by then its clients have given up."""
POLL_S = 0.2

Report = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds.

    start_s : for a new version's workers.
    queue_s : for requests that wait for an old version, at most; one without workers never gets to them.
    drain_s : how long an old version goes on after that; None for the longest that a request may take.
    """

    start_s: float = START_TIMEOUT_S
    queue_s: float = QUEUE_TIMEOUT_S
    drain_s: float | None = None


@dataclass(frozen=True)
class Step:
    """One model's change.

    archive : the new version's file. old : what requests go to now, which may be the new version already.
    others : the versions to remove in the end: the old one, and what swaps that were cut short have left.
    """

    archive: Path
    name: str
    version: str
    old: Model
    others: tuple[Model, ...]


def plan(archives: Sequence[Path], management_port: int) -> list[Step]:
    """Find out what has to change; archives that are in service already, and alone, need nothing.

    Raises TorchServeError where a model is not served at all, ValueError for a file that is no archive.
    """
    steps = []
    for archive in archives:
        name, version = read_manifest(archive)
        old = describe(management_port, name, TIMEOUT_S)
        registered = describe_all(management_port, name, TIMEOUT_S)
        others = tuple(model for model in registered if model.version != version)
        if others:
            steps.append(Step(archive, name, version, old, others))
    return steps


def swap(
    steps: Sequence[Step], store: Path, management_port: int, patience: Patience, report: Report
) -> None:
    """Carry the steps out, all models together, so that they are of one version but for a moment.

    store : TorchServe's model store, which has to be writable.
    Raises TorchServeError or OSError. Requests then go to the old versions, as before, unless the message
    says that they go to the new ones; those versions that are left are then removed by another swap.
    """
    starting = [step for step in steps if step.old.version != step.version]
    try:
        for step in starting:
            report(f"{step.name}: starting {step.version} beside {step.old.version}")
            _register(step, store, management_port, patience.start_s)
        for step in starting:
            _make_default(step.name, step.version, management_port)
            report(f"{step.name}: requests go to {step.version}")
        record_defaults(store, {step.name: step.version for step in steps})
    except BaseException:
        for step in starting:
            _undo(step, store, management_port)
        raise
    try:
        _drain(steps, management_port, patience)
        for step in steps:
            for other in step.others:
                _unregister(step.name, other.version, management_port)
                (store / other.archive).unlink(missing_ok=True)
                report(f"{step.name}: {other.version} removed")
    except (TorchServeError, OSError) as exc:
        raise TorchServeError(
            f"{exc}; requests go to the new versions, do the same again to remove what is left of others"
        ) from exc


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
    if not _comes(outcome, longest_s):
        raise TorchServeError(f"{otherwise} after {longest_s:.0f} s")


def _comes(outcome: Callable[[], bool], longest_s: float) -> bool:
    deadline = time.monotonic() + longest_s
    while not outcome():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


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


def _drain(steps: Sequence[Step], port: int, patience: Patience) -> None:
    """Wait until no old version can have a request any more."""
    leaving = [other for step in steps for other in step.others]
    # TorchServe says how many requests wait, not how many its workers are at: for these, time has to pass.
    _comes(
        lambda: not any(describe(port, old.name, TIMEOUT_S, old.version).pending for old in leaving),
        patience.queue_s,
    )
    longest_s = max((old.response_timeout_s for old in leaving), default=0)
    time.sleep(longest_s if patience.drain_s is None else patience.drain_s)


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
        "--queue-s",
        type=float,
        default=QUEUE_TIMEOUT_S,
        help="longest wait for requests that are queued for the old versions",
    )
    parser.add_argument(
        "--drain-s",
        type=float,
        help="how long the old versions go on; default: the longest a request may take",
    )
    options = parser.parse_args(argv)
    try:
        steps = plan(options.archives, options.management_port)
        patience = Patience(options.start_s, options.queue_s, options.drain_s)
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
