"""Checks of what is on this side: the installation, its settings, and the limits it lives within."""

from __future__ import annotations

import dataclasses
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from animation_server.concurrency import usable_cores
from animation_server.doctor.finding import Finding, ok, tried
from animation_server.errors import InputError
from animation_server.settings import PREFIX, Settings

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")

WORKER_BYTES = 350_000_000
"""What a worker holds at work, measured over 200 requests."""

PIXEL_BYTES = 4
"""A photograph while it is decoded: three channels, and what its decoder holds beside them."""

OTHER_FILES = 128
"""Files of a worker beside its clients' connections: libraries, TorchServe, S3, Redis, logs."""

MB = 1_000_000


def examine_package() -> Finding:
    """Say what is installed."""
    return ok(
        "package", f"drawing-animation {version('drawing-animation')}, Python {platform.python_version()}"
    )


def examine_settings(settings: Settings) -> Finding:
    """Say what differs from the defaults; secrets are only said to be set."""
    chosen = [
        f"{PREFIX}{field.name.upper()}={_show(value)}"
        for field in dataclasses.fields(settings)
        if (value := getattr(settings, field.name)) != field.default
    ]
    return ok("settings", ", ".join(chosen) or "all as they come")


def examine_memory(settings: Settings) -> Finding:
    """Compare the memory that may be used with what the workers need."""
    limit, where = memory_limit()
    if limit is None:
        return ok("memory", "no limit is known")
    photograph = settings.max_image_pixels * PIXEL_BYTES
    needed = settings.workers * WORKER_BYTES + photograph
    words = (
        f"{limit // MB} MB {where}; {settings.workers} worker(s) of {WORKER_BYTES // MB} MB "
        f"and one photograph of {photograph // MB} MB make {needed // MB} MB"
    )
    if limit >= needed:
        return ok("memory", words)
    return Finding(
        "memory",
        "warn",
        words,
        "Raise the container's memory limit, or lower ANIMATION_WORKERS or ANIMATION_MAX_IMAGE_PIXELS; "
        "a worker that is killed for memory loses the requests it had",
    )


def examine_cores(settings: Settings) -> Finding:
    """Compare the threads that render with the cores they may use."""
    cores = cpu_limit()
    threads = settings.workers * (settings.render_threads or usable_cores())
    words = f"{cores:g} core(s) may be used; {threads} thread(s) render in {settings.workers} worker(s)"
    if threads <= cores + 0.5:
        return ok("cores", words)
    return Finding(
        "cores",
        "warn",
        words,
        f"Set ANIMATION_RENDER_THREADS to {max(1, int(cores / settings.workers))}; "
        "more threads than cores make every request slower and none faster",
    )


def examine_open_files(settings: Settings) -> Finding:
    """Compare the files that a worker may open with its clients' connections."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_clients + OTHER_FILES
    words = f"{limit} may be open; a worker with {settings.max_clients} clients needs up to {needed}"
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return ok("open files", words)
    return Finding(
        "open files", "warn", words, f"Raise the limit (ulimit -n {needed}), or lower ANIMATION_MAX_CLIENTS"
    )


def examine_kernels() -> Finding:
    """Render something small; say whether the compiled kernels were found or had to be made."""

    def render() -> Finding:
        from animation_server.service.library_renderer import LibraryRenderer

        renderer = LibraryRenderer()
        started = time.perf_counter()
        try:
            renderer.warm_up()
        except RuntimeError as exc:  # Numba's, where it finds no place for its cache
            return Finding("kernels", "fail", f"{exc}", mend)
        seconds = time.perf_counter() - started
        compiled = compiled_kernels()
        if compiled:
            words = f"{compiled} had to be compiled, which took the better part of {seconds:.0f} s"
            return Finding("kernels", "warn", words, mend)
        return ok("kernels", f"found compiled, ready in {seconds:.1f} s; renderer {renderer.version}")

    mend = (
        "They are kept for next time; if this comes again, Numba finds no place to write to: "
        "set NUMBA_CACHE_DIR, and let the image hold them (python -m animation_server.kernel_cache)"
    )
    return tried("kernels", render, mend)


def examine_motions(settings: Settings) -> Finding:
    """Say which motions there are, and whether those rendered by default are among them."""

    def look() -> Finding:
        from animation_server.motion.library import motion_names

        names = motion_names()
        missing = [name for name in settings.motions if name not in names]
        if missing:
            raise InputError(f"ANIMATION_MOTIONS names {', '.join(missing)}; there are {', '.join(names)}")
        return ok("motions", ", ".join(names))

    return tried("motions", look, "Correct ANIMATION_MOTIONS; the server does not start with it")


def memory_limit(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> tuple[int | None, str]:
    """Find how many bytes this process may use, and who says so: the control group, else the machine."""
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        text = _read(file)
        # Version 1 says "no limit" with a number that no machine has.
        if text.isdecimal() and int(text) < 2**60:
            return int(text), "for the container"
    for line in _read(meminfo).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024, "in this machine"
    return None, ""


def cpu_limit(cgroup: Path = CGROUP) -> float:
    """Find how many cores this process may use: those it may run on, or the control group's share of them."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if not quota:
        quota, period = (_read(cgroup / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    cores = float(usable_cores())
    if quota.isdecimal() and period.isdecimal():
        return min(cores, int(quota) / int(period))
    return cores


def compiled_kernels() -> int:
    """Count the kernels that this process compiled because no cache held them."""
    import sys

    from numba.core.dispatcher import Dispatcher

    modules = [module for name, module in sys.modules.items() if name.startswith("animation_server.")]
    kernels = {
        id(value): value for m in modules for value in vars(m).values() if isinstance(value, Dispatcher)
    }
    return sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels.values())


def _show(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(set)"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
