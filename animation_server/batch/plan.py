"""What a batch is to make of every drawing, and where to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animation_server.animate import AnimationOptions
from animation_server.app import make_store
from animation_server.concurrency import Executor
from animation_server.errors import InputError
from animation_server.settings import Settings
from animation_server.storage import ObjectStore

S3 = "s3://"


@dataclass(frozen=True)
class BatchPlan:
    """The same for every drawing; can be sent to other processes.

    motions : names of bundled ones, or files. output : a folder, or s3://BUCKET/PREFIX.
    picture : (H, W, 3) uint8 RGB behind the figures, instead of `options.background`.
    """

    motions: tuple[str | Path, ...]
    options: AnimationOptions
    output: str
    settings: Settings
    picture: NDArray[np.uint8] | None = None

    @property
    def folder(self) -> Path | None:
        """The folder that is written to; None where it is a bucket."""
        return None if self.output.startswith(S3) else Path(self.output)


def recipe(plan: BatchPlan, motions: Sequence[str], models: str, renderer: str) -> dict[str, object]:
    """Return what decides what becomes of a drawing, as JSON-like values.

    motions : digests of the motions. models, renderer : versions.
    """
    return {
        "motions": list(motions),
        "options": asdict(plan.options),
        "picture": None if plan.picture is None else hashlib.sha256(plan.picture).hexdigest(),
        "models": models,
        "renderer": renderer,
        "working_size": plan.settings.working_size,
    }


def open_output(plan: BatchPlan, executor: Executor) -> ObjectStore:
    """Open the store that the plan writes to. Where the endpoint is not AWS's, the settings say so."""
    folder = plan.folder
    if folder is not None:
        return make_store(replace(plan.settings, storage="local", local_dir=folder), executor)
    bucket, _, prefix = plan.output.removeprefix(S3).partition("/")
    if not bucket:
        raise InputError(f"{plan.output}: expected s3://BUCKET or s3://BUCKET/PREFIX")
    prefix = prefix.rstrip("/") + "/" if prefix else ""
    return make_store(replace(plan.settings, storage="s3", s3_bucket=bucket, s3_prefix=prefix), executor)
