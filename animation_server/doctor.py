"""What is configured and whether each part answers, in words."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from animation_server.concurrency import ThreadExecutor, usable_cores
from animation_server.errors import AnimationError
from animation_server.settings import Settings


@dataclass(frozen=True)
class Finding:
    """What one check found. ok : whether the part does its work. words : what it is, or what is wrong."""

    part: str
    ok: bool
    words: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Check every part that a request needs, one after the other."""
    yield Finding("python", True, f"{platform.python_version()}, {usable_cores()} cores")
    yield Finding("package", True, f"drawing-animation {version('drawing-animation')}")
    yield _check("kernels", _compile_kernels)
    yield _check("motions", lambda: _list_motions(settings))
    yield _check("inference", lambda: _ask_models(settings))
    yield _check("storage", lambda: _ask_storage(settings))
    yield Finding(
        "server",
        True,
        f"{settings.workers} worker(s) on {settings.host}:{settings.port}; clients use {settings.base_url}",
    )


def _check(part: str, examine_part: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, examine_part())
    except (AnimationError, OSError) as exc:
        return Finding(part, False, f"{exc}")


def _compile_kernels() -> str:
    from animation_server.rendering import LibraryRenderer

    renderer = LibraryRenderer()
    renderer.warm_up()
    return f"compiled and working, renderer {renderer.version}"


def _list_motions(settings: Settings) -> str:
    from animation_server.errors import InputError
    from animation_server.motion.library import motion_names

    names = motion_names()
    missing = [name for name in settings.motions if name not in names]
    if missing:
        raise InputError(f"ANIMATION_MOTIONS names {', '.join(missing)}; there are {', '.join(names)}")
    return ", ".join(names)


def _ask_models(settings: Settings) -> str:
    from animation_server.app import make_inference_client

    where = (
        "in this process" if settings.inference == "embedded" else f"TorchServe at {settings.torchserve_url}"
    )
    executor = ThreadExecutor(1)
    client = make_inference_client(settings, executor)
    try:
        client.check()
        return f"{where}, models {client.version()}"
    finally:
        client.close()
        executor.close()


def _ask_storage(settings: Settings) -> str:
    from animation_server.app import make_store

    executor = ThreadExecutor(1)
    store = make_store(settings, executor)
    try:
        store.check()
    finally:
        store.close()
        executor.close()
    if settings.storage == "local":
        return f"directory {settings.local_dir.absolute()}, writable"
    where = settings.s3_endpoint_url or "AWS"
    return f"bucket {settings.s3_bucket} at {where}, reachable; {settings.s3_urls} links"
