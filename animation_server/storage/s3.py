"""Objects in S3, or in anything that speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from animation_server.concurrency import call_directly
from animation_server.errors import StorageError
from animation_server.storage import CACHE_CONTROL
from animation_server.storage.keys import check_key

POOL_SIZE = 16
ATTEMPTS = 2
"""One retry: puts and heads may be repeated, and a caller waits for the answer."""


@dataclass(frozen=True)
class S3Address:
    """Where the bucket is and how its objects are linked.

    endpoint_url : empty for AWS. public_endpoint_url : the endpoint as clients reach it, in signed links.
    public_base_url : what plain links put before the key. prefix : put before every key.
    """

    bucket: str
    endpoint_url: str = ""
    region: str = "us-east-1"
    prefix: str = ""
    urls: Literal["presigned", "public"] = "presigned"
    presigned_expiry_s: int = 24 * 3600
    public_endpoint_url: str = ""
    public_base_url: str = ""
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 15.0


class S3Store:
    """Keeps objects in a bucket; implements ObjectStore. One a process: making a client costs 100 ms.

    run_io : runs the network call where sockets work; see concurrency.Executor.
    """

    def __init__(
        self, address: S3Address, run_io: Callable[[Callable[[], Any]], Any] = call_directly
    ) -> None:
        self._address = address
        self._run_io = run_io
        self._client = _make_client(address, address.endpoint_url)
        self._signer = self._client
        if address.public_endpoint_url:
            # The host is part of what is signed, so links need a client that knows the public one.
            self._signer = _make_client(address, address.public_endpoint_url)

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """See ObjectStore."""
        self._call(
            "put_object",
            Key=self._full_key(key),
            Body=data,
            ContentType=content_type,
            CacheControl=CACHE_CONTROL,
        )

    def exists(self, key: str) -> bool:
        """See ObjectStore."""
        try:
            self._call("head_object", Key=self._full_key(key))
        except StorageError as exc:
            if _status(exc.__cause__) == 404:
                return False
            raise
        return True

    def url(self, key: str) -> str:
        """See ObjectStore."""
        full_key = self._full_key(key)
        if self._address.urls == "public":
            return f"{self._public_base_url()}/{quote(full_key)}"
        try:
            link: str = self._signer.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._address.bucket, "Key": full_key},
                ExpiresIn=self._address.presigned_expiry_s,
            )
        except BotoCoreError as exc:
            raise StorageError(f"cannot sign a link: {exc}") from exc
        return link

    def check(self) -> None:
        """See ObjectStore."""
        self._call("head_bucket")

    def close(self) -> None:
        """See ObjectStore."""
        self._client.close()
        self._signer.close()

    def _full_key(self, key: str) -> str:
        check_key(key)
        return self._address.prefix + key

    def _public_base_url(self) -> str:
        address = self._address
        if address.public_base_url:
            return address.public_base_url.rstrip("/")
        if address.endpoint_url:
            return f"{address.endpoint_url.rstrip('/')}/{address.bucket}"
        return f"https://{address.bucket}.s3.{address.region}.amazonaws.com"

    def _call(self, operation: str, **request: Any) -> None:
        """Make one S3 call; every failure is a StorageError with the cause attached."""

        def call() -> None:
            getattr(self._client, operation)(Bucket=self._address.bucket, **request)

        try:
            self._run_io(call)
        except ClientError as exc:
            # A missing object answers 403 instead of 404 to those who may not list the bucket.
            raise StorageError(
                f"S3 {operation} on {self._address.bucket}: expected success, came status {_status(exc)} "
                f"{exc.response.get('Error', {}).get('Code', '')}. "
                "The credentials need GetObject, PutObject and ListBucket."
            ) from exc
        except BotoCoreError as exc:
            raise StorageError(f"S3 {operation} on {self._address.bucket}: {exc}") from exc


def _make_client(address: S3Address, endpoint_url: str) -> Any:
    config = Config(
        signature_version="s3v4",
        # Servers other than AWS seldom have a host name for every bucket ...
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # ... nor take checksums behind the body.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=address.connect_timeout_s,
        read_timeout=address.read_timeout_s,
        max_pool_connections=POOL_SIZE,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    # A session of our own: boto3's default one is shared by the process and keeps its first credentials.
    session = boto3.session.Session(region_name=address.region)
    return session.client("s3", endpoint_url=endpoint_url or None, config=config)


def _status(exc: BaseException | None) -> int:
    if not isinstance(exc, ClientError):
        return 0
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
