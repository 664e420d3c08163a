"""The commands for operators: serve, worker and doctor."""

from __future__ import annotations

import argparse
import json
import os
import sys

from animation_server.cli.libraries import LIBRARIES

UNHEALTHY = 4
"""doctor's exit code where something does not work: a dependency that failed."""


def add_operator_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the commands of animation-server."""
    serve = commands.add_parser("serve", help="run the server: gunicorn with gevent workers")
    serve.set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="work on queued jobs: a Celery worker")
    worker.set_defaults(run=_worker)

    doctor = commands.add_parser(
        "doctor", help="say what is configured, whether each part answers, and how to mend what does not"
    )
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(run=_doctor)


def _serve(_: argparse.Namespace) -> int:
    from animation_server.settings import Settings

    Settings.from_environ()  # says what is wrong before gunicorn wraps it in a traceback
    # gunicorn takes this process's place: signals reach it, and nothing is imported before it patches.
    command = [sys.executable, "-m", "gunicorn", "--config", "python:animation_server.wsgi.config"]
    sys.stdout.flush()
    environ = {**LIBRARIES, **os.environ}
    os.execve(sys.executable, [*command, "animation_server.app:create_app()"], environ)  # noqa: S606


def _worker(_: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "animation_server.jobs.worker"]
    sys.stdout.flush()
    os.execve(sys.executable, command, {**LIBRARIES, **os.environ})  # noqa: S606


def _doctor(arguments: argparse.Namespace) -> int:
    from animation_server.doctor import examine
    from animation_server.settings import Settings

    findings = []
    for finding in examine(Settings.from_environ()):
        findings.append(finding)
        if not arguments.json:
            mark = finding.state if finding.state == "ok" else finding.state.upper()
            mend = f"{'':18}-> {finding.mend}\n" if finding.mend else ""
            sys.stdout.write(f"{mark:<6}{finding.part + ':':<12}{finding.words}\n{mend}")
            sys.stdout.flush()
    healthy = all(finding.state != "fail" for finding in findings)
    if arguments.json:
        json.dump({"ok": healthy, "findings": [vars(finding) for finding in findings]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    return 0 if healthy else UNHEALTHY
