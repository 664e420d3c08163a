"""Fetches model archives from object storage: for an init container where the image holds no models.

python -m torchserve_model.fetch s3://BUCKET/KEY.mar#sha256=HEX ... -o DIR

Credentials and the endpoint are found where boto3 always looks: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, files,
or the machine's role. A file appears under its name only when it is whole and its checksum right; one that is
there already and right is not fetched again. Exit codes: 2 usage; 3 a checksum differs; 4 storage failed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

WRONG_CHECKSUM, STORAGE_FAILED = 3, 4

_SOURCE = re.compile(
    r"s3://(?P<bucket>[^/#]+)/(?P<key>[^#]*?(?P<name>[^/#]+\.mar))#sha256=(?P<sha256>[0-9a-f]{64})"
)
_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})


class ChecksumError(ValueError):
    """What came is not what was meant."""


@dataclass(frozen=True)
class Source:
    """Where an archive lies. sha256 : in lower-case hex. name : the file's, without folders."""

    bucket: str
    key: str
    name: str
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read s3://BUCKET/KEY.mar#sha256=HEX; ValueError for anything else."""
        found = _SOURCE.fullmatch(text)
        if found is None:
            raise ValueError(
                f"expected s3://BUCKET/KEY.mar#sha256= and 64 digits of lower-case hex, came {text!r}"
            )
        return cls(**found.groupdict())


def fetch(source: Source, folder: Path) -> bool:
    """Bring one archive to `folder`; returns whether it had to be fetched.

    Raises ChecksumError, boto3's errors, OSError, and ValueError for an endpoint that is no address.
    """
    target = folder / source.name
    if target.exists() and _sha256(target) == source.sha256:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        part = Path(temporary) / source.name
        client = boto3.session.Session().client("s3", config=_CONFIG)
        try:
            client.download_file(source.bucket, source.key, str(part))
        finally:
            client.close()
        if (came := _sha256(part)) != source.sha256:
            raise ChecksumError(
                f"s3://{source.bucket}/{source.key}: expected sha256 {source.sha256}, came {came}"
            )
        part.chmod(0o644)
        part.replace(target)
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.fetch", description=__doc__)
    parser.add_argument("source", nargs="+", metavar="s3://BUCKET/KEY.mar#sha256=HEX")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    try:
        sources = [Source.parse(text) for text in options.source]
    except ValueError as exc:
        parser.error(str(exc))
    try:
        for source in sources:
            fetched = fetch(source, options.out)
            sys.stdout.write(f"{options.out / source.name} {'fetched' if fetched else 'is there'}\n")
    except ChecksumError as exc:
        sys.stderr.write(f"{exc}\n")
        return WRONG_CHECKSUM
    # boto3 has three families of errors, and a bare ValueError for an endpoint that is no address.
    except (Boto3Error, BotoCoreError, ClientError, OSError, ValueError) as exc:
        sys.stderr.write(f"expected to fetch {source.name} from s3://{source.bucket}, came: {exc}\n")
        return STORAGE_FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
