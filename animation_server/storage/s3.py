"""Objects in S3, or in anything that speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from animation_server.concurrency import MapIO, map_directly
from animation_server.errors import StorageError
from animation_server.storage import CACHE_CONTROL
from animation_server.storage.keys import check_key
from animation_server.telemetry.observer import Observer, Unwatched, calling

T = TypeVar("T")

SIGNATURE = "s3v4"
POOL_SIZE = 16
ATTEMPTS = 2
"""One retry: puts and heads may be repeated, and a caller waits for the answer."""
LEAST_SESSION_S = 600.0
"""Least that a role's credentials are still good for: botocore renews them ten minutes before they end."""


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

    map_io : runs network calls where sockets work, and gives them up in time; see concurrency.Executor.
    observer : is told of every call.
    """

    def __init__(
        self, address: S3Address, map_io: MapIO = map_directly, observer: Observer | None = None
    ) -> None:
        self._address = address
        self._observer = observer or Unwatched()
        self._map_io = map_io
        # A session of our own: boto3's default one is shared by the process and keeps its first credentials.
        self._session = boto3.session.Session(region_name=address.region)
        self._client = _make_client(self._session, address, address.endpoint_url)
        self._client.meta.events.register("before-send.s3", self._count_retry)
        self._signer = self._client
        if address.urls == "public":
            if not address.public_base_url:
                linked_url = address.endpoint_url or address.public_endpoint_url
                self._signer = _make_client(self._session, address, linked_url, UNSIGNED)
        elif address.public_endpoint_url:
            # The host is part of what is signed, so links need a client that knows the public one.
            self._signer = _make_client(self._session, address, address.public_endpoint_url)

    def put(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> None:
        """See ObjectStore."""
        self._call("put_object", self._content(key, data, content_type), timeout_s)

    def create(self, key: str, data: bytes, content_type: str, timeout_s: float | None = None) -> bool:
        """See ObjectStore."""
        ends = None if timeout_s is None else monotonic() + timeout_s
        # Asked first, too, for servers that do not know the condition.
        if self.exists([key], timeout_s) == [True]:
            return False

        def put_new(request: dict[str, Any]) -> bool:
            try:
                self._client.put_object(**request)
            except ClientError as exc:
                if _status(exc) in (409, 412):
                    return False
                raise
            return True

        content = self._content(key, data, content_type) | {"IfNoneMatch": "*"}
        left_s = None if ends is None else max(0.0, ends - monotonic())
        (created,) = self._run("put_object", put_new, [content], left_s)
        return created

    def get(self, key: str, timeout_s: float | None = None) -> bytes | None:
        """See ObjectStore."""

        def read(request: dict[str, Any]) -> bytes | None:
            try:
                answer = self._client.get_object(**request)
            except ClientError as exc:
                if _is_missing(exc):
                    return None
                raise
            with answer["Body"] as body:
                data: bytes = body.read()
            return data

        (data,) = self._run("get_object", read, [self._object(key)], timeout_s)
        return data

    def exists(self, keys: Sequence[str], timeout_s: float | None = None) -> list[bool]:
        """See ObjectStore."""

        def look(request: dict[str, Any]) -> bool:
            try:
                self._client.head_object(**request)
            except ClientError as exc:
                if _status(exc) == 404:
                    return False
                raise
            return True

        return self._run("head_object", look, [self._object(key) for key in keys], timeout_s)

    def list_keys(self, folder: str, timeout_s: float | None = None) -> list[str]:
        """See ObjectStore."""
        prefix = self._full_key(folder) + "/"

        def read(request: dict[str, Any]) -> list[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(**request)
            return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

        bucket = self._address.bucket
        (found,) = self._run("list_objects_v2", read, [{"Bucket": bucket, "Prefix": prefix}], timeout_s)
        return sorted(key.removeprefix(self._address.prefix) for key in found)

    def delete(self, keys: Iterable[str], timeout_s: float | None = None) -> None:
        """See ObjectStore."""
        # One by one: servers other than AWS want checksums of lists that they do not agree about.
        self._run(
            "delete_object",
            lambda request: self._client.delete_object(**request),
            [self._object(key) for key in keys],
            timeout_s,
        )

    def url(self, key: str) -> str:
        """See ObjectStore."""
        full_key = self._full_key(key)
        if self._address.urls == "public" and self._address.public_base_url:
            return f"{self._address.public_base_url.rstrip('/')}/{quote(full_key)}"
        try:
            link: str = self._signer.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._address.bucket, "Key": full_key},
                ExpiresIn=self._address.presigned_expiry_s,
            )
        except BotoCoreError as exc:
            raise StorageError(f"cannot sign a link: {type(exc).__name__}") from exc
        return link

    @property
    def url_life_s(self) -> float | None:
        """See ObjectStore. A link ends with the credentials that signed it, whatever it says itself."""
        if self._address.urls == "public":
            return None
        expiry_s = float(self._address.presigned_expiry_s)
        credentials = self._session.get_credentials()
        end = isinstance(credentials, RefreshableCredentials) or (credentials and credentials.token)
        return min(expiry_s, LEAST_SESSION_S) if end else expiry_s

    def check(self) -> None:
        """See ObjectStore."""
        self._call("head_bucket", {"Bucket": self._address.bucket})

    def close(self) -> None:
        """See ObjectStore."""
        self._client.close()
        self._signer.close()

    def _full_key(self, key: str) -> str:
        check_key(key)
        return self._address.prefix + key

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._address.bucket, "Key": self._full_key(key)}

    def _content(self, key: str, data: bytes, content_type: str) -> dict[str, Any]:
        content = {"Body": data, "ContentType": content_type, "CacheControl": CACHE_CONTROL}
        return self._object(key) | content

    def _call(self, operation: str, request: dict[str, Any], timeout_s: float | None = None) -> None:
        self._run(operation, lambda _: getattr(self._client, operation)(**request), [request], timeout_s)

    def _run(
        self,
        operation: str,
        call: Callable[[dict[str, Any]], T],
        requests: Sequence[dict[str, Any]],
        timeout_s: float | None,
    ) -> list[T]:
        """Make S3 calls side by side; every failure is a StorageError with the cause attached."""
        with calling(self._observer, "s3", operation), self._translated(operation, timeout_s):
            return self._map_io(call, requests, timeout_s)

    @contextmanager
    def _translated(self, operation: str, timeout_s: float | None) -> Iterator[None]:
        where = f"S3 {operation} on {self._address.bucket} at {self._address.endpoint_url or 'AWS'}"
        try:
            yield
        except ClientError as exc:
            # A missing object answers 403 instead of 404 to those who may not list the bucket.
            raise StorageError(
                f"{where}: expected success, came status {_status(exc)} "
                f"{exc.response.get('Error', {}).get('Code', '')}. "
                "The credentials need GetObject, PutObject, DeleteObject and ListBucket."
            ) from exc
        except BotoCoreError as exc:
            # Its own text has the whole address: keys, and ids of jobs in them, are not for logs.
            raise StorageError(f"{where}: expected an answer, came {type(exc).__name__}") from exc
        except TimeoutError as exc:
            raise StorageError(f"{where}: no answer within {timeout_s} s") from exc

    def _count_retry(self, request: Any, **_: Any) -> None:
        """Tell of attempts beyond the first, which botocore numbers in a header."""
        if not str(request.headers.get("amz-sdk-request", "")).startswith(("attempt=1;", "b'attempt=1;")):
            self._observer.retried("s3")


def _make_client(
    session: boto3.session.Session, address: S3Address, endpoint_url: str, signature: object = SIGNATURE
) -> Any:
    # Servers other than AWS seldom have a host name for every bucket, and AWS's certificates cover no dots.
    # Never "auto": it makes links for the global host, which knows the buckets of one region only.
    by_path = bool(endpoint_url) or "." in address.bucket
    config = Config(
        signature_version=signature,
        s3={"addressing_style": "path" if by_path else "virtual"},
        # Servers other than AWS seldom take checksums behind the body.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=address.connect_timeout_s,
        read_timeout=address.read_timeout_s,
        max_pool_connections=POOL_SIZE,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return session.client("s3", endpoint_url=endpoint_url or None, config=config)


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_missing(exc: ClientError) -> bool:
    """Tell an object that is not there from a bucket that is not."""
    return bool(exc.response.get("Error", {}).get("Code") == "NoSuchKey")
