"""What a server tells of itself, and what it holds, while it is under load."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from animation_server.telemetry.observer import STAGES
from tests.parts.server import Server

SAMPLE_PERIOD_S = 0.5

PREPARING = ("decode", "detect", "pose", "mask", "deform")
"""Stages that a drawing passes once, the making of its mesh among them; the others, once for each motion."""


@dataclass(frozen=True)
class Work:
    """What the server logged of a request that it rendered.

    arrived_s : when its head came, from the beginning of the watch. motions : how many.
    prepare_s : until they could be rendered, models_s of it with the models.
    render_s : over all motions, storing included. in_all_s : from the request's head to its answer.
    """

    arrived_s: float
    motions: int
    prepare_s: float
    models_s: float
    render_s: float
    in_all_s: float


@dataclass(frozen=True)
class Seen:
    """What was seen of the server.

    works : the requests that were rendered. stages_s : mean seconds by stage, from /metrics.
    rss : bytes that the gunicorn worker held, every half second. load_average : the machine's, its median.
    """

    works: Sequence[Work]
    stages_s: Mapping[str, float]
    rss: Sequence[int]
    load_average: float


class Watch:
    """Watches a server from the beginning of a block to its end; `seen` afterwards."""

    seen: Seen

    def __init__(self, server: Server) -> None:
        self._server = server
        self._worker = psutil.Process(server.process.pid).children()[0]
        self._rss: list[int] = []
        self._load_averages: list[float] = []
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self._began_s = time.time()
        self._log_begins = self._server.log.stat().st_size
        self._before = self._stage_sums()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sampler.join()
        after = self._stage_sums()
        stages_s = {}
        for stage, (count, seconds) in after.items():
            count_before, seconds_before = self._before[stage]
            stages_s[stage] = (seconds - seconds_before) / max(1.0, count - count_before)
        self.seen = Seen(self._works(), stages_s, self._rss, float(np.median(self._load_averages)))

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_PERIOD_S):
            self._rss.append(self._worker.memory_info().rss)
            self._load_averages.append(os.getloadavg()[0])

    def _stage_sums(self) -> dict[str, tuple[float, float]]:
        """How often each stage has run, and for how many seconds."""
        text = requests.get(f"{self._server.url}/metrics", timeout=30).text
        values = {
            (sample.name.rpartition("_")[2], sample.labels["stage"]): sample.value
            for family in text_string_to_metric_families(text)
            if family.name == "animation_stage_duration_seconds"
            for sample in family.samples
            if not sample.name.endswith("_bucket")
        }
        return {stage: (values["count", stage], values["sum", stage]) for stage in STAGES}

    def _works(self) -> list[Work]:
        """Read what was logged since the block began."""
        with self._server.log.open("rb") as log:
            log.seek(self._log_begins)
            entries = [json.loads(line) for line in log if line.startswith(b"{")]
        return [
            _work(entry, self._began_s)
            for entry in entries
            if entry.get("status") == 200 and entry.get("stages_ms")
        ]


def _work(entry: Mapping[str, object], began_s: float) -> Work:
    logged = entry["stages_ms"]
    if not isinstance(logged, dict):
        raise TypeError(f"stages_ms: expected an object, came {logged!r}")
    stages_s = {name: ms / 1000 for name, ms in logged.items()}
    prepare_s = sum(stages_s.get(stage, 0.0) for stage in PREPARING)
    in_all_s = float(str(entry["duration_ms"])) / 1000
    logged_s = datetime.fromisoformat(str(entry["timestamp"])).timestamp()
    return Work(
        arrived_s=round(logged_s - in_all_s - began_s, 3),
        motions=int(str(entry["motions"])),
        prepare_s=round(prepare_s, 4),
        models_s=round(stages_s.get("detect", 0.0) + stages_s.get("pose", 0.0), 4),
        render_s=round(sum(stages_s.values()) - prepare_s, 4),
        in_all_s=round(in_all_s, 4),
    )
