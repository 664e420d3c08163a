"""What the views reach: the parts that create_app wired, hung on the app."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from animation_server.jobs.engine import JobEngine
from animation_server.service.pipeline import AnimationService
from animation_server.settings import Settings

_EXTENSION = "animation_server"


@dataclass(frozen=True)
class Parts:
    """The settings, the service that makes animations, and the engine of jobs where there are jobs."""

    settings: Settings
    service: AnimationService
    jobs: JobEngine | None = None


def attach(app: Flask, parts: Parts) -> None:
    """Hang the parts on the app."""
    app.extensions[_EXTENSION] = parts


def parts_of(app: Flask) -> Parts:
    """Return the parts of an app."""
    parts: Parts = app.extensions[_EXTENSION]
    return parts


def current_parts() -> Parts:
    """Return the parts of the app that handles the current request."""
    return parts_of(current_app)
