"""How long a parent waits: one warm request with a phone's photograph.

python -m benchmarks.request [--runs 9] [--embedded]

Runs the real processes (TorchServe on the CPU, gunicorn, an S3 server; with --embedded the server alone),
posts a 12-megapixel photograph with three motions of 150 frames at 400 px, each time another picture so that
nothing is found ready, and then the last one again.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from tests.parts.pod import SAMPLE, running_pod
from tests.parts.server import animation_server

PHOTOGRAPH = (4032, 3024)
SENSOR_NOISE = 4.0
"""Standard deviation, in the evening and indoors; it makes the file as large as a phone's."""
REQUEST = {"motions": "dab,jumping,zombie", "frames": "150", "size": "400"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_args()
    photographs = _photographs(options.runs + 1)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as home,
        _server(Path(home), options.embedded) as url,
    ):
        _post(url, photographs[0])  # the first request warms what the start has not
        seconds = [_post(url, photograph) for photograph in photographs[1:]]
        again = [_post(url, photographs[-1]) for _ in range(options.runs)]
    where = "embedded models, local files" if options.embedded else "TorchServe on the CPU, S3 server"
    print(f"photograph {PHOTOGRAPH[0]}x{PHOTOGRAPH[1]}, {len(photographs[0]) / 1e6:.1f} MB; {where}")
    _report("new drawing, three motions", seconds)
    _report("the same request again", again)


def _report(what: str, seconds: list[float]) -> None:
    median = statistics.median(seconds)
    print(
        f"{what:28s} median {median:.3f} s  min {min(seconds):.3f}  max {max(seconds):.3f}  n {len(seconds)}"
    )


@contextmanager
def _server(home: Path, embedded: bool) -> Iterator[str]:
    if embedded:
        with animation_server(home, {}) as server:
            yield server.url
    else:
        with running_pod(home) as pod:
            yield pod.server.url


def _photographs(count: int) -> list[bytes]:
    """Make the sample a phone's photograph: as many pixels, as much noise; each a little different."""
    with Image.open(SAMPLE) as sample:
        size = PHOTOGRAPH if sample.width > sample.height else PHOTOGRAPH[::-1]
        picture = np.asarray(sample.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = np.random.default_rng(0).normal(0, SENSOR_NOISE, picture.shape).round().astype(np.int16)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    photographs = []
    for number in range(count):
        out = io.BytesIO()
        noisy[:8, :8] = 20 * number % 256
        Image.fromarray(noisy).save(out, "JPEG", quality=95)
        photographs.append(out.getvalue())
    return photographs


def _post(url: str, photograph: bytes) -> float:
    started = time.perf_counter()
    answer = requests.post(f"{url}/v1/animations", files={"image": photograph}, data=REQUEST, timeout=120)
    elapsed = time.perf_counter() - started
    if not answer.ok:
        sys.exit(f"the server answered {answer.status_code}: {answer.text}")
    return elapsed


if __name__ == "__main__":
    main()
