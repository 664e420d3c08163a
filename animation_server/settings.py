"""The one table of settings: every field of Settings is a row (name, type, default, help).

Settings come from environment variables that start with ANIMATION_ and are read once, at start. A name that
is not in the table, or a value of the wrong type, stops the start: a misspelt limit must not leave the
limit off. S3 credentials are not settings: boto3 finds them where it always does (environment, files, role).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from animation_server.errors import SettingsError
from animation_server.setting_types import parse, show, type_name

PREFIX = "ANIMATION_"

# Kubernetes gives every pod variables named after the services of its namespace; a service called
# "animation-server" yields ANIMATION_SERVER_PORT=tcp://..., which is no mistake of the operator's.
_KUBERNETES_SERVICE_LINK = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|.+_PORT$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$"
)


MOST_PORT = 65535
MOST_PRESIGNED_S = 7 * 24 * 3600
"""S3 refuses links that live longer."""


def _setting(default: Any, description: str, *, minimum: float = -math.inf, maximum: float = math.inf) -> Any:
    return dataclasses.field(
        default=default, metadata={"help": description, "minimum": minimum, "maximum": maximum}
    )


@dataclass(frozen=True)
class Settings:
    """What the operator decides. Field `x` is the environment variable ANIMATION_X."""

    host: str = _setting("127.0.0.1", "Address to listen on")
    port: int = _setting(8000, "Port to listen on", minimum=0, maximum=MOST_PORT)
    workers: int = _setting(1, "gunicorn worker processes; each holds its own models and renders", minimum=1)
    public_url: str = _setting("", "How clients reach this server; empty: `http://127.0.0.1:PORT`")
    cors_origins: tuple[str, ...] = _setting(
        (), "Origins whose pages may call this server, separated by commas, or `*`; empty: none"
    )
    studio: bool = _setting(True, "Whether `/` shows the studio, a page on which people try the service out")
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "Least level logged")

    api_keys_file: str = _setting(
        "",
        "File of hashed API keys, re-read when it changes; empty: whoever reaches the service may use it",
    )
    rate_limit: str = _setting(
        "",
        "How often one key, or without keys one address, may ask for work, e.g. `60/minute;1000/hour`; "
        "empty: as often as it likes",
    )
    trusted_proxies: int = _setting(
        0, "Proxies in front that append to X-Forwarded-For; with 0 it is not believed", minimum=0
    )
    redis_url: SecretStr = _setting(  # noqa: RUF009
        SecretStr(""),
        "Redis, `redis://[:PASSWORD@]HOST:PORT/0`, which all processes share; empty: each counts and queues "
        "for itself",
    )
    jobs: Literal["in-process", "celery", "off"] = _setting(
        "in-process",
        "Who works on jobs: this process, which suits one server with one worker process; or Celery workers, "
        "`animation-server worker`, by way of Redis",
    )
    max_jobs: int = _setting(
        1000,
        "Jobs waiting for Celery workers; those beyond get 503. In process, max_queue bounds them",
        minimum=1,
    )
    job_deadline_s: float = _setting(
        120.0,
        "Longest time for one attempt at a job; a lost worker's job begins again a little later than that",
        minimum=1,
    )
    job_expiry_s: int = _setting(
        24 * 3600, "How long the outcome of a job, and an idempotency key, is remembered", minimum=1
    )
    worker_processes: int = _setting(
        0, "Processes of `animation-server worker`, each with its own models; 0: one for each core", minimum=0
    )
    worker_metrics_port: int = _setting(
        0,
        "Port of `animation-server worker` at which Prometheus finds its /metrics; 0: none",
        minimum=0,
        maximum=MOST_PORT,
    )
    metrics_open: bool = _setting(True, "Whether /metrics answers without an API key")

    inference: Literal["embedded", "torchserve", "torchserve-grpc"] = _setting(
        "embedded", "Who runs the models: this process (ONNX Runtime), or TorchServe over HTTP or gRPC"
    )
    inference_threads: int = _setting(
        0, "Threads of the embedded models; 0: as many as there are cores", minimum=0
    )
    torchserve_url: str = _setting("http://127.0.0.1:8080", "TorchServe's inference address")
    torchserve_grpc_address: str = _setting(
        "127.0.0.1:7070", "TorchServe's inference address over gRPC, host:port"
    )
    torchserve_management_url: str = _setting(
        "",
        "TorchServe's management address, where it can be reached: readiness then asks for the models' "
        "workers, and the models' version is read from it",
    )
    torchserve_metrics_url: str = _setting(
        "",
        "TorchServe's metrics address, whose numbers /metrics/torchserve passes on; empty: not at all",
    )
    torchserve_connect_timeout_s: float = _setting(
        2.0, "Longest wait for a connection to TorchServe", minimum=0.01
    )
    torchserve_read_timeout_s: float = _setting(20.0, "Longest wait for TorchServe's answer", minimum=0.01)
    models_version: str = _setting(
        "", "Name of the models' version in storage keys; empty: asked from the models"
    )

    storage: Literal["local", "s3"] = _setting("local", "Where animations are kept")
    local_dir: Path = _setting(Path("var/objects"), "Directory of local storage")  # noqa: RUF009
    s3_endpoint_url: str = _setting("", "S3 endpoint; empty: AWS")
    s3_region: str = _setting("us-east-1", "S3 region")
    s3_bucket: str = _setting("animations", "S3 bucket")
    s3_prefix: str = _setting("", "Put before every key, e.g. `drawings/`")
    s3_urls: Literal["presigned", "public"] = _setting(
        "presigned", "Links handed out: signed ones that expire, or plain ones to a public bucket"
    )
    s3_presigned_expiry_s: int = _setting(
        24 * 3600,
        "Life of a signed link; S3 allows a week, the credentials of a role an hour at most",
        minimum=1,
        maximum=MOST_PRESIGNED_S,
    )
    s3_public_endpoint_url: str = _setting(
        "", "The endpoint as clients reach it, which signed links name; empty: the endpoint"
    )
    s3_public_base_url: str = _setting(
        "", "What plain links put before the key, e.g. a CDN's address; empty: the bucket's address"
    )
    s3_connect_timeout_s: float = _setting(3.0, "Longest wait for a connection to S3", minimum=0.01)
    s3_read_timeout_s: float = _setting(15.0, "Longest wait for S3's answer", minimum=0.01)
    keep_uploads: bool = _setting(
        False,
        "Whether a character's drawing is kept with it, reduced and without metadata, so that it can be "
        "animated on its own sheet",
    )
    key_salt: SecretStr = _setting(  # noqa: RUF009
        SecretStr(""), "Mixed into storage keys, so that no one who holds a drawing can compute its address"
    )

    max_image_bytes: int = _setting(
        20_000_000, "Largest upload; phones' photographs stay below 15 MB", minimum=1
    )
    max_image_pixels: int = _setting(
        100_000_000, "Most pixels of an image, read from its header before anything is decoded", minimum=1
    )
    max_full_pixels: int = _setting(
        50_000_000,
        "The same for images that must be decoded whole: PNG, HEIC, JPEG of several scans (progressive), and "
        "WebP, which may have half as many; each pixel costs 8 bytes of memory, and phones photograph in 48 "
        "million",
        minimum=1,
    )
    working_size: int = _setting(
        1280, "Longest side to which drawings are reduced; the models see less", minimum=64
    )
    motions: tuple[str, ...] = _setting(
        ("dab", "jumping", "zombie"), "Motions rendered when a request names none, separated by commas"
    )
    max_motions: int = _setting(12, "Most motions in one request", minimum=1)
    size: int = _setting(400, "Side of an animation in pixels unless the request says otherwise", minimum=16)
    max_size: int = _setting(1024, "Largest side a request may ask for", minimum=16)
    frames: int = _setting(150, "Most frames of an animation unless the request says otherwise", minimum=2)
    max_frames: int = _setting(600, "Most frames a request may ask for", minimum=2)

    render_threads: int = _setting(
        0, "Threads that decode, deform, draw and encode; 0: as many as there are cores", minimum=0
    )
    max_queue: int = _setting(
        16, "Requests being rendered or waiting for it in one worker; those beyond get 503", minimum=1
    )
    request_deadline_s: float = _setting(
        60.0, "Work on a request that is older than this is not begun any more: 504", minimum=0.1
    )
    max_clients: int = _setting(
        200,
        "Connections to one worker at a time; those beyond wait",
        minimum=1,
    )
    keep_alive_s: int = _setting(
        5,
        "How long an idle connection is kept; behind a proxy that keeps its own, longer than it does",
        minimum=1,
    )
    max_upload_memory: int = _setting(
        200_000_000,
        "Bytes of uploads that one worker holds at a time, ten of the largest or some sixty photographs; "
        "those beyond get 503",
        minimum=1,
    )
    upload_timeout_s: float = _setting(
        60.0, "Longest time a whole upload may take; 15 MB take that long at 2 Mbit/s: 408", minimum=0.1
    )
    stall_timeout_s: float = _setting(
        20.0,
        "A client that sends or takes no byte for this long is left; phones change networks in less",
        minimum=0.1,
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables, by default this process's.

        Raises SettingsError, which names every unknown variable and unfit value at once.
        """
        environ = os.environ if environ is None else environ
        hints = typing.get_type_hints(cls)
        fields = {_variable(field.name): field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        problems = []
        for variable in sorted(name for name in environ if name.startswith(PREFIX)):
            field = fields.get(variable)
            if field is None:
                if not _KUBERNETES_SERVICE_LINK.search(variable.removeprefix(PREFIX.rstrip("_"))):
                    problems.append(f"{variable}: no such setting.{_suggestion(variable, list(fields))}")
                continue
            try:
                values[field.name] = parse(environ[variable], hints[field.name], field)
            except ValueError as exc:
                shown = "a secret" if hints[field.name] is SecretStr else repr(environ[variable])
                problems.append(f"{variable}: expected {exc}, came {shown}")
        if problems:
            raise SettingsError("; ".join(problems))
        settings = cls(**values)
        settings._check_defaults()
        return settings

    def _check_defaults(self) -> None:
        """Raise SettingsError where a default or a limit goes beyond another limit."""
        for name, value, limit_name, limit in (
            ("size", self.size, "max_size", self.max_size),
            ("frames", self.frames, "max_frames", self.max_frames),
            ("motions", len(self.motions), "max_motions", self.max_motions),
            ("max_image_bytes", self.max_image_bytes, "max_upload_memory", self.max_upload_memory),
        ):
            if value > limit:
                raise SettingsError(
                    f"{_variable(name)}: expected at most {_variable(limit_name)}, {limit}; came {value}"
                )

    @property
    def base_url(self) -> str:
        """How clients reach this server, without a slash at the end."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")


def settings_table_markdown() -> str:
    """Return the table of settings for docs/settings.md: one row a setting, in the order of the code."""
    hints = typing.get_type_hints(Settings)
    rows = ["| variable | type | default | what it is |", "|---|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = show(field.default)
        rows.append(
            f"| `{_variable(field.name)}` | {type_name(hints[field.name])} "
            f"| {f'`{default}`' if default else ''} | {field.metadata['help']} |"
        )
    return "\n".join(rows) + "\n"


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _suggestion(variable: str, known: list[str]) -> str:
    close = difflib.get_close_matches(variable, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""
