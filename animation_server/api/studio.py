"""The studio: a page on which people try out what the API does; its files are in animation_server/studio."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePath

from flask import Blueprint, Response, abort

from animation_server.api.conditional import revalidated
from animation_server.api.describe import Answer, Media, describe

blueprint = Blueprint("studio", __name__)

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_TEXT = {"type": "string"}

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src *",  # pictures lie wherever the storage is, previews wherever the server is called
        "media-src *",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup, whatever is written here later
    )
)
"""What the page may do: nothing but what it was sent with, so that nobody's script gets hold of a key."""


@blueprint.get("/")
@describe(
    "service",
    conditional=True,
    answers={200: Answer({"text/html": Media(_TEXT)}, "The page.", headers=("ETag",))},
)
def get_studio() -> Response:
    """Show the studio.

    A page for people: choose a drawing, correct its figure, animate it.
    """
    return _file("index.html")


@blueprint.get("/studio/<path:name>")
@describe(
    "service",
    conditional=True,
    answers={200: Answer(dict.fromkeys(_TYPES.values(), Media(_TEXT)), "The file.", headers=("ETag",))},
    errors=(404,),
)
def get_studio_file(name: str) -> Response:
    """Fetch a part of the studio's page."""
    return _file(name)


def _file(name: str) -> Response:
    content = _files().get(name)
    if content is None:
        abort(404)
    response = Response(content, mimetype=_TYPES[PurePath(name).suffix])
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return revalidated(response)


@cache
def _files() -> dict[str, bytes]:
    """Read the studio's files, some 30 kB; what is not among them cannot be asked for."""
    directory = Path(__file__).parents[1] / "studio"
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in _TYPES}
