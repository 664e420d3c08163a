"""Prints what images weigh, layer by layer, as registries send them; fails when one has grown.

python docker/image_sizes.py RECORD.json NAME=IMAGE ... [--record]

RECORD.json holds for each NAME the compressed bytes measured last, and the most it may ever be. An image may
grow by 5 % before someone has to look, and record the new size. The engine is $ENGINE, with $PODMAN_FLAGS.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

TOLERANCE = 1.05
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One layer: what made it, its bytes unpacked, and its bytes compressed by gzip as when it is pushed."""

    made_by: str
    unpacked: int
    compressed: int


def measure(archive: IO[bytes]) -> list[Layer]:
    """Measure an image saved in Docker's format, first layer first."""
    sizes: dict[str, tuple[int, int]] = {}
    documents: dict[str, Any] = {}
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for member in tar:
            # Beside the files there are links to them, from when each layer had a folder.
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if member.name.endswith(".json") and member.size < _CHUNK:
                documents[member.name] = json.loads(content.read())
            else:
                sizes[member.name] = member.size, compressed_size(content)
    (image,) = documents["manifest.json"]
    history = [step for step in documents[image["Config"]]["history"] if not step.get("empty_layer")]
    return [
        Layer(step.get("created_by") or step.get("comment", ""), *sizes[name])
        for step, name in zip(history, image["Layers"], strict=True)
    ]


def compressed_size(content: IO[bytes]) -> int:
    """Bytes that gzip leaves of a file."""
    gzip = zlib.compressobj(level=6, wbits=31)
    size = 0
    while chunk := content.read(_CHUNK):
        size += len(gzip.compress(chunk))
    return size + len(gzip.flush())


def table(name: str, layers: list[Layer]) -> str:
    """What is printed of one image."""
    lines = [f"{name}"]
    for layer in layers:
        made_by = " ".join(layer.made_by.replace("/bin/sh -c", "").replace("#(nop)", "").split())
        lines.append(
            f"  {layer.compressed / 1e6:7.1f} MB  {layer.unpacked / 1e6:7.1f} MB unpacked  {made_by[:70]}"
        )
    total, unpacked = sum(layer.compressed for layer in layers), sum(layer.unpacked for layer in layers)
    lines.append(f"  {total / 1e6:7.1f} MB  {unpacked / 1e6:7.1f} MB unpacked  in all")
    return "\n".join(lines)


def complaint(name: str, size: int, record: dict[str, dict[str, int]]) -> str:
    """What is wrong with an image's size in bytes; empty where nothing is."""
    if name not in record:
        return f"{name}: expected a recorded size, found none; record it with --record"
    recorded, limit = record[name]["bytes"], record[name]["limit"]
    if size > limit:
        return f"{name}: expected at most {limit / 1e6:.0f} MB, came {size / 1e6:.1f} MB"
    if size > recorded * TOLERANCE:
        return (
            f"{name}: expected {recorded / 1e6:.1f} MB or 5 % more, came {size / 1e6:.1f} MB; "
            "take out what came in, or record it with --record"
        )
    return ""


def save(image: str) -> list[Layer]:
    """Measure an image of the engine's."""
    engine = [os.environ.get("ENGINE", "podman"), *shlex.split(os.environ.get("PODMAN_FLAGS", ""))]
    saving = subprocess.Popen([*engine, "save", image], stdout=subprocess.PIPE)
    with saving:
        if saving.stdout is None:
            raise RuntimeError("the engine's output: expected a pipe, came none")
        layers = measure(saving.stdout)
    if saving.returncode:
        raise SystemExit(f"{' '.join(engine)} save {image}: exit status {saving.returncode}")
    return layers


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("image", nargs="+", metavar="NAME=IMAGE")
    parser.add_argument("--record", action="store_true", dest="write", help="write the new sizes down")
    options = parser.parse_args(argv)
    record = json.loads(options.record.read_text())
    complaints = []
    for name, _, image in (text.partition("=") for text in options.image):
        layers = save(image)
        sys.stdout.write(table(f"{name}  ({image})", layers) + "\n")
        size = sum(layer.compressed for layer in layers)
        if options.write:
            record.setdefault(name, {"limit": size})["bytes"] = size
        elif wrong := complaint(name, size, record):
            complaints.append(wrong)
    if options.write:
        options.record.write_text(json.dumps(record, indent=2) + "\n")
    sys.stderr.write("".join(f"{wrong}\n" for wrong in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
