"""Pages of other origins: which may call this server from a browser."""

from __future__ import annotations

import re

from flask import Flask
from flask_cors import CORS

from animation_server.errors import SettingsError

_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.-]+(:\d{1,5})?")

_TOLD_HEADERS = (
    "ETag", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After",
    "WWW-Authenticate", "X-Request-ID",
)  # fmt: skip
"""What pages may read of an answer, beside what they always may."""

_PREFLIGHT_AGE_S = 3600


def register_cors(app: Flask, origins: tuple[str, ...]) -> None:
    """Let pages of these origins call every route; none where there are none. `*` is any origin.

    Nothing that browsers add by themselves, like cookies, lets anybody in: where keys are asked for, a page
    needs one. Raises SettingsError where an origin is none.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                "ANIMATION_CORS_ORIGINS: expected origins like https://app.example.com, or *; "
                f"came {origin!r}"
            )
    if origins:
        CORS(
            app,
            origins=list(origins),
            methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            expose_headers=list(_TOLD_HEADERS),
            max_age=_PREFLIGHT_AGE_S,
        )
