"""Checks of what is on the other side: the models, the storage, its clock, Redis, and the server itself."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import requests

from animation_server.concurrency import ThreadExecutor
from animation_server.doctor.finding import Finding, ok, tried
from animation_server.errors import DependencyError, NoFigureError, StorageError
from animation_server.settings import Settings
from animation_server.storage import ObjectStore
from animation_server.telemetry.logs import without_secrets

TIMEOUT_S = 5.0

WORST_SKEW_S = 15 * 60.0
"""S3 refuses requests whose signature is that much older or newer than its own clock."""

NOTED_SKEW_S = 60.0
"""No clock that is kept right is that wrong; signed links then live shorter or longer than they say."""


def examine_models(settings: Settings) -> Finding:
    """Ask the models what they see in the sample drawing."""
    embedded = settings.inference == "embedded"
    where = "in this process"
    mend = "Install the package anew; its weights come with it"
    if not embedded:
        grpc = settings.inference == "torchserve-grpc"
        where = f"TorchServe at {settings.torchserve_grpc_address if grpc else settings.torchserve_url}"
        mend = (
            "See that TorchServe runs (its container's log), that ANIMATION_TORCHSERVE_URL is its inference "
            "address, and that each model has a READY worker: GET :8081/models/drawn_humanoid_detector"
        )

    def look() -> Finding:
        from animation_server.annotate import annotate
        from animation_server.app import make_inference_client
        from animation_server.sample import sample_drawing

        executor = ThreadExecutor(1)
        client = make_inference_client(settings, executor)
        try:
            client.check()
            started = time.perf_counter()
            try:
                annotate(sample_drawing(), client)
            except NoFigureError:
                words = f"{where}, models {client.version()}: they answer, but see no figure in the sample"
                return Finding("inference", "warn", words, "Other models than ours are served; try a drawing")
            seconds = time.perf_counter() - started
            words = f"{where}, models {client.version()}: found the figure in the sample, {seconds:.2f} s"
            return ok("inference", words)
        finally:
            client.close()
            executor.close()

    return tried("inference", look, mend)


def examine_storage(settings: Settings) -> Finding:
    """Store, read and delete a small object, and open its link as a client would."""
    if settings.storage == "local":
        where = f"directory {settings.local_dir.absolute()}"
        mend = "Let the server's user write to ANIMATION_LOCAL_DIR, and see that the disk is not full"
    else:
        where = f"bucket {settings.s3_bucket} at {settings.s3_endpoint_url or 'AWS'}"
        mend = (
            "See that ANIMATION_S3_ENDPOINT_URL can be reached from here, that the bucket exists, and that "
            "the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a file, or a role) may GetObject, "
            "PutObject, DeleteObject and ListBucket"
        )

    def look() -> Finding:
        with _store(settings) as store, _throwaway(store) as (key, data):
            if store.get(key, TIMEOUT_S) != data:
                raise StorageError(f"{where}: what was read is not what was stored")
            if settings.storage == "local":
                return ok("storage", f"{where}: stored, read and deleted an object")
            trouble = _open_link(store.url(key), data)
        if trouble:
            words = f"{where}: objects are stored, but their links do not open from here: {trouble}"
            return Finding(
                "storage",
                "warn",
                words,
                "Fine where only clients reach ANIMATION_S3_PUBLIC_ENDPOINT_URL or _BASE_URL; else correct "
                "them, and see that a public bucket is public",
            )
        return ok("storage", f"{where}: stored, read, opened by its {settings.s3_urls} link, and deleted")

    return tried("storage", look, mend)


def examine_clock(settings: Settings) -> Finding:
    """Compare this machine's clock with S3's."""
    url = settings.s3_endpoint_url or f"https://s3.{settings.s3_region}.amazonaws.com"

    def look() -> Finding:
        date = requests.head(url, timeout=TIMEOUT_S).headers.get("Date", "")
        try:
            skew_s = time.time() - parsedate_to_datetime(date).timestamp()
        except ValueError:
            return ok("clock", f"{url} does not tell the time")
        words = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {url}"
        if abs(skew_s) < NOTED_SKEW_S:
            return ok("clock", words)
        refused = abs(skew_s) > WORST_SKEW_S
        return Finding(
            "clock",
            "fail" if refused else "warn",
            words + (": S3 refuses what is signed with it" if refused else ""),
            "Let NTP (chrony, systemd-timesyncd) set this machine's clock, or that of the S3 server",
        )

    return tried("clock", look, "See that ANIMATION_S3_ENDPOINT_URL can be reached from here")


def examine_redis(settings: Settings) -> Finding:
    """Ask Redis whether it answers, and whether it would throw jobs away."""
    import redis

    url = settings.redis_url.get_secret_value()
    shown = without_secrets(url)

    def look() -> Finding:
        client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        try:
            about = client.info()
        except redis.RedisError as exc:
            raise DependencyError(f"{shown}: {without_secrets(str(exc))}") from exc
        finally:
            client.close()
        policy, most = about.get("maxmemory_policy", "noeviction"), about.get("maxmemory", 0)
        words = (
            f"{shown}: Redis {about.get('redis_version', '?')}, {about.get('used_memory_human', '?')} used"
        )
        if policy != "noeviction" and most:
            return Finding(
                "redis",
                "warn",
                f"{words}; maxmemory-policy is {policy}",
                "Set maxmemory-policy noeviction: out of memory, Redis would forget jobs without a word",
            )
        return ok("redis", words)

    return tried(
        "redis",
        look,
        "See that Redis runs, that ANIMATION_REDIS_URL holds its address and password, and that no network "
        "policy stands between",
    )


def examine_server(settings: Settings) -> Finding:
    """Say where the server listens, and how it is if it runs."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 (compared only)
    words = (
        f"{settings.workers} worker(s) on {settings.host}:{settings.port}; clients use {settings.base_url}"
    )
    try:
        answer = requests.get(f"http://{host}:{settings.port}/readyz", timeout=TIMEOUT_S)
    except requests.RequestException:
        return ok("server", f"{words}; not running here")
    if answer.ok:
        return ok("server", f"{words}; running and ready")
    return Finding(
        "server",
        "warn",
        f"{words}; something there answers /readyz with {answer.status_code}",
        "Where no other line says why, read the server's log for 'not ready'",
    )


@contextmanager
def _store(settings: Settings) -> Iterator[ObjectStore]:
    from animation_server.app import make_store

    executor = ThreadExecutor(1)
    store = make_store(settings, executor)
    try:
        yield store
    finally:
        store.close()
        executor.close()


@contextmanager
def _throwaway(store: ObjectStore) -> Iterator[tuple[str, bytes]]:
    """Store an object under a key that no one else has; delete it in the end."""
    key, data = f"doctor/{secrets.token_hex(16)}.txt", b"Stored by animation-server doctor; delete me."
    store.put(key, data, "text/plain", TIMEOUT_S)
    try:
        yield key, data
    finally:
        store.delete([key], TIMEOUT_S)


def _open_link(url: str, data: bytes) -> str:
    """Fetch a link; returns what went wrong, empty where nothing did."""
    try:
        answer = requests.get(url, timeout=TIMEOUT_S)
    except requests.RequestException as exc:
        return f"{type(exc).__name__}"
    if not answer.ok:
        return f"status {answer.status_code}"
    return "" if answer.content == data else "another object came"
