"""Answers that a client may know already, and changes that must not meet a newer state.

`If-None-Match` on what is read gives 304 where nothing has changed; `If-Match` on what is changed gives 412
where something has.
"""

from __future__ import annotations

import time

from flask import Response, json, request
from pydantic import BaseModel

from animation_server.errors import InputError

REVALIDATE = "no-cache"
"""Kept by clients, but asked about every time."""


def answer_json(body: BaseModel | dict[str, object], etag: str = "") -> Response:
    """Answer with JSON, or with 304 where the client has this very version.

    etag : names the version; empty for a digest of the body.
    """
    content = body.model_dump() if isinstance(body, BaseModel) else body
    response = Response(json.dumps(content, sort_keys=False) + "\n", mimetype="application/json")
    return revalidated(response, etag)


def revalidated(response: Response, etag: str = "") -> Response:
    """Let clients keep an answer but ask about it every time; it becomes 304 where they have this version.

    etag : see answer_json.
    """
    if etag:
        response.set_etag(etag)
    else:
        response.add_etag()
    response.headers["Cache-Control"] = REVALIDATE
    response.make_conditional(request)
    return response


def revision_etag(revision: int, url_life_s: float | None) -> str:
    """Name a revision whose answer holds links.

    url_life_s : seconds that links live; the name changes twice in that time, so that nobody is told to keep
    links that have expired. None where they live for ever.
    """
    return str(revision) if url_life_s is None else f"{revision}-{int(time.time() / (url_life_s / 2))}"


def check_if_match(revision: int) -> None:
    """Raise InputError with status 412 where If-Match names other revisions only."""
    wanted = request.if_match
    if "If-Match" not in request.headers or wanted.star_tag:
        return
    # an empty tag comes as None
    if str(revision) not in {tag.partition("-")[0] for tag in wanted.as_set() if tag}:
        raise InputError(
            f"If-Match: expected the latest revision, {revision}, came another. Read the character again.",
            code="precondition_failed",
            status=412,
        )
