"""The pod without containers: TorchServe and gunicorn over localhost, objects in a real S3 server.

python -m tests.parts.pod [IMAGE] [--serve]     posts the drawing and prints the URLs; --serve stays up
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.parts.process import PartFailed
from tests.parts.server import Server, animation_server
from tests.parts.swift import S3Server, swift_server
from tests.parts.torchserve import TorchServe, torchserve
from tests.places import ROOT, SAMPLE

MODEL_STORE = ROOT / "var" / "models"
BUCKET = "animations"


@dataclass(frozen=True)
class Pod:
    """All parts, running."""

    server: Server
    models: TorchServe
    s3: S3Server


@contextmanager
def running_pod(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[Pod]:
    """Run the pod for the length of the block; `home` takes logs and objects."""
    with swift_server(home / "s3") as s3, torchserve(MODEL_STORE, home / "torchserve") as models:
        s3.make_bucket(BUCKET)
        environ = {
            "ANIMATION_INFERENCE": "torchserve",
            "ANIMATION_TORCHSERVE_URL": models.url,
            "ANIMATION_TORCHSERVE_MANAGEMENT_URL": models.management_url,
            "ANIMATION_STORAGE": "s3",
            "ANIMATION_S3_ENDPOINT_URL": s3.endpoint,
            "ANIMATION_S3_REGION": s3.region,
            "ANIMATION_S3_BUCKET": BUCKET,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            **(settings or {}),
        }
        with animation_server(home / "server", environ) as server:
            yield Pod(server, models, s3)


def main() -> int:
    """Run the pod, post a drawing, check the links; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--serve", action="store_true", help="stay up until interrupted")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="pod-") as home:
        try:
            return _try_out(options.image, Path(home), options.serve)
        except PartFailed as exc:
            sys.stderr.write(f"{exc}\n")
            return 4
        except KeyboardInterrupt:
            return 0


def _try_out(image: Path, home: Path, serve: bool) -> int:
    _say("starting S3 (Swift), TorchServe and gunicorn ...")
    with running_pod(home) as pod:
        _say(f"S3 {pod.s3.endpoint}   TorchServe {pod.models.url}   server {pod.server.url}")
        started = time.monotonic()
        answer = requests.post(
            f"{pod.server.url}/v1/animations", files={"image": image.read_bytes()}, timeout=120
        )
        if not answer.ok:
            sys.stderr.write(f"the server answered {answer.status_code}: {answer.text}\n")
            return 1
        _say(f"answered in {time.monotonic() - started:.1f} s")
        failed = False
        for name, url in answer.json()["animations"].items():
            got = requests.get(url, timeout=30)
            content_type = got.headers.get("Content-Type")
            failed |= got.status_code != 200 or content_type != "image/gif"
            _say(f"  {name:8s} {got.status_code} {content_type} {len(got.content) / 1000:.0f} kB  {url}")
        while serve:
            time.sleep(1)
        return int(failed)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
