"""How fast the models answer: detector and pose network, embedded and in TorchServe, one and eight at once.

python -m benchmarks.models [--seconds 5]

Every question is what the server asks: the sample drawing at 512 px for the detector, the figure's crop at
600 px for pose and mask; with TorchServe as PNG over HTTP and gRPC. Eight at once: eight threads, no pause.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.inference.contract import InferenceClient
from animation_server.inference.embedded import EmbeddedClient
from animation_server.inference.torchserve import TorchServeAddress, TorchServeClient
from tests.parts.pod import MODEL_STORE, SAMPLE
from tests.parts.torchserve import torchserve

DETECT_SIDE, CROP_SIDE = 512, 600


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    seconds = parser.parse_args().seconds
    drawing = cv2.imread(str(SAMPLE), cv2.IMREAD_COLOR_RGB).astype(np.uint8)
    sheet, crop = _reduced(drawing, DETECT_SIDE), _reduced(drawing, CROP_SIDE)
    print(f"{'':50}{'median':>10}{'p95':>10}{'a second':>10}")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        _rows("embedded", EmbeddedClient(), sheet, crop, seconds)
        with torchserve(MODEL_STORE, Path(home)) as models:
            for protocol, grpc_address in (("HTTP", ""), ("gRPC", models.grpc_address)):
                client = TorchServeClient(TorchServeAddress(models.url, grpc_address))
                _rows(f"TorchServe, {protocol}", client, sheet, crop, seconds)


def _rows(
    where: str, client: InferenceClient, sheet: NDArray[np.uint8], crop: NDArray[np.uint8], seconds: float
) -> None:
    questions: dict[str, Callable[[], object]] = {
        "detector": lambda: client.detect(sheet),
        "pose and mask": lambda: client.estimate_pose(crop),
        "both, one after the other": lambda: (client.detect(sheet), client.estimate_pose(crop)),
    }
    for what, ask in questions.items():
        ask()
        for at_once in (1, 8):
            latencies = _asked(ask, at_once, seconds)
            median, p95 = statistics.median(latencies), float(np.quantile(latencies, 0.95))
            name = f"{where}, {what}, {at_once}"
            print(f"{name:50}{median * 1e3:7.1f} ms{p95 * 1e3:7.1f} ms{len(latencies) / seconds:10.1f}")
    client.close()


def _asked(ask: Callable[[], object], at_once: int, seconds: float) -> list[float]:
    """Ask from `at_once` threads for some seconds; the latency of each answer in seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    def keep_asking() -> None:
        while (started := time.perf_counter()) < until:
            ask()
            latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=keep_asking) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def _reduced(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    scale = side / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)


if __name__ == "__main__":
    main()
