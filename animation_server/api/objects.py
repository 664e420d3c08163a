"""Serves what the local store keeps. S3 serves its own."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flask import Blueprint, Response, abort, send_from_directory

from animation_server import clip
from animation_server.api.describe import Answer, Media, describe
from animation_server.storage import CACHE_CONTROL
from animation_server.storage.keys import is_key

EXTENSIONS = frozenset(f".{extension}" for extension in clip.EXTENSIONS.values())
"""What is shown: animations, and characters' pictures."""

MEDIA_TYPES = ("image/gif", "image/png", "image/webp", "video/mp4")
_FILE = {"type": "string", "format": "binary"}


def objects_blueprint(directory: Path) -> Blueprint:
    """Make the blueprint that serves the objects below a directory at /objects/<key>."""
    blueprint = Blueprint("objects", __name__)

    @blueprint.get("/objects/<path:key>")
    @describe(
        "service",
        conditional=True,
        headers=("Range",),
        answers={
            200: Answer(dict.fromkeys(MEDIA_TYPES, Media(_FILE)), "The file.", headers=("ETag",)),
            206: Answer(dict.fromkeys(MEDIA_TYPES, Media(_FILE)), "The part that was asked for."),
        },
        errors=(404, 416),
    )
    def get_object(key: str) -> Response:
        """Fetch an animation, or a picture of a character; also in parts (Range)."""
        # Records and uploads are kept in the same place, and half-written files have names that are no keys.
        if not is_key(key) or PurePosixPath(key).suffix not in EXTENSIONS:
            abort(404)
        response = send_from_directory(directory, key)
        response.headers["Cache-Control"] = CACHE_CONTROL
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint
