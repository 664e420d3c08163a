"""What is configured, whether each part answers, why not, and how to mend it: in words for operators."""

from __future__ import annotations

from collections.abc import Iterator

from animation_server.doctor.finding import Finding
from animation_server.settings import Settings

__all__ = ["Finding", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Check everything that a request needs, one after the other, each found as it comes."""
    from animation_server.doctor import dependencies, machine

    yield machine.examine_package()
    yield machine.examine_settings(settings)
    yield machine.examine_memory(settings)
    yield machine.examine_cores(settings)
    yield machine.examine_open_files(settings)
    yield machine.examine_kernels()
    yield machine.examine_motions(settings)
    yield dependencies.examine_models(settings)
    yield dependencies.examine_storage(settings)
    if settings.storage == "s3":
        yield dependencies.examine_clock(settings)
    if settings.redis_url.get_secret_value():
        yield dependencies.examine_redis(settings)
    yield dependencies.examine_server(settings)
