"""How gunicorn runs the app; `animation-server serve` names this module to it.

The first thing that happens here, in the master and before anything else is imported, is the patching:
boto3 and requests recurse in ssl when they are imported before it.
"""

# ruff: noqa: E402
from __future__ import annotations

# Native threads hold Numba's locks while they compile, where gevent's would not do. It imports no ssl.
import numba  # noqa: F401 # isort: skip
from gevent import monkey  # isort: skip

monkey.patch_all()

import gc
import os
import sys
from pathlib import Path
from typing import Any

import gevent

from animation_server.settings import Settings
from animation_server.telemetry.logs import logging_config
from animation_server.telemetry.metrics_directory import forget, share_numbers

_settings = Settings.from_environ()
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that runs Python code may keep the others from it. With Python's own 5 ms, a request that
is answered in 0.3 ms waits that long behind those that render, each time it comes back from the network.
"""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only asked whether it is there)

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
worker_class = "animation_server.wsgi.worker.Worker"
worker_connections = _settings.max_clients
# A worker whose greenlets stand still this long is dead. Renders are no reason: they are in other threads.
timeout = 60
graceful_timeout = int(_settings.request_deadline_s)
keepalive = _settings.keep_alive_s
# The heartbeat's file: in memory, because a disk that is slow or read-only must not kill workers.
worker_tmp_dir = str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None
accesslog = None
loglevel = _settings.log_level
logconfig_dict = logging_config(_settings.log_level)
control_socket_disable = True

_numbers = share_numbers()


def post_worker_init(worker: Any) -> None:
    """Warm up beside the first requests; /readyz says when it is done."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    from animation_server.api.parts import parts_of

    parts = parts_of(worker.app.callable)
    parts.service.warming = True
    gevent.spawn(_warm_up, parts.service)
    if parts.jobs is not None and parts.settings.jobs == "celery":
        parts.jobs.is_leaving = lambda: not worker.alive


def _warm_up(service: Any) -> None:
    """Load and compile what requests need; then set it aside from garbage collection.

    Some 170 000 objects are there for good, and to look through all of them stops every thread for 80 ms.
    """
    service.warm_up()
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what the worker's threads are at, then close its connections."""
    from animation_server.api.parts import parts_of

    if worker.app.callable is not None:
        parts = parts_of(worker.app.callable)
        if parts.jobs is not None:
            parts.jobs.close()
        parts.service.close()


def on_exit(_server: Any) -> None:
    """Remove what the workers have shared."""
    forget(_numbers)
