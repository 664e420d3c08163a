"""Serves what the local store keeps. S3 serves its own."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, send_from_directory

from animation_server.storage import CACHE_CONTROL
from animation_server.storage.keys import is_key


def objects_blueprint(directory: Path) -> Blueprint:
    """Make the blueprint that serves the objects below a directory at /objects/<key>."""
    blueprint = Blueprint("objects", __name__)

    @blueprint.get("/objects/<path:key>")
    def get_object(key: str) -> Response:
        """Send one object; half-written ones have names that are no keys."""
        if not is_key(key):
            abort(404)
        response = send_from_directory(directory, key)
        response.headers["Cache-Control"] = CACHE_CONTROL
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint
