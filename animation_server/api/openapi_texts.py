"""What the OpenAPI document says about things that many calls have in common."""

from __future__ import annotations

from typing import Any

DESCRIPTION = """\
A photograph of a drawing in, animations out.

Every error has one shape, `ErrorAnswer`, with a stable `code`. Every answer carries `X-Request-ID`: the
request's own where it is fit for a log, else a new one.
"""

TAGS = {
    "animations": "From an image to animations in one call. Nothing but the animations is kept.",
    "characters": "Figures that are kept: corrected by people, animated as often as one likes, deleted.",
    "motions": "What figures can do.",
    "jobs": "Answers that come later.",
    "service": "For orchestrators, operators and programs.",
}

ERRORS = {
    400: "The request cannot be read.",
    401: "An API key is asked for; none came, or none that is valid.",
    404: "There is no such thing, or not any more.",
    408: "The request's body took too long.",
    409: "Somebody else was first, or the job was cancelled.",
    412: "If-Match names a revision that is not the latest.",
    413: "The image has too many bytes or pixels.",
    416: "The file is shorter than the Range that is asked for.",
    415: "The body's type, or the image's format, is not among those that are understood.",
    422: "Understood, but it cannot be done: an option out of its bounds, a damaged image, no figure in it.",
    429: "This caller asks more often than it may.",
    501: "This server keeps no jobs.",
    503: "Too much to do, or a part that the server leans on does not answer. Try again later.",
    504: "Not done in time. Try again later.",
}

HAVE_RETRY_AFTER = frozenset({429, 503})

Described = tuple[str, dict[str, Any]]

PATH_PARAMETERS: dict[str, Described] = {
    "character": ("Id of a character.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "job_id": ("Id of a job.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "motion": ("Name of a motion.", {"type": "string"}),
    "name": ("Name of a file.", {"type": "string"}),
    "key": ("As it stands in the addresses that answers hold.", {"type": "string"}),
}

REQUEST_HEADERS: dict[str, Described] = {
    "X-Request-ID": (
        "Names the request in logs and in the answer.",
        {"type": "string", "examples": ["upload-17"]},
    ),
    "If-None-Match": (
        "ETag of the version that is known already; 304 where it is the latest.",
        {"type": "string"},
    ),
    "If-Match": (
        "ETag of the revision that is to be changed; 412 where there is a later one.",
        {"type": "string"},
    ),
    "Prefer": (
        "`respond-async` for a job instead of the result, `wait=N` to wait for N seconds at most (RFC 7240).",
        {"type": "string", "examples": ["respond-async, wait=10"]},
    ),
    "Idempotency-Key": (
        "Makes a request that is sent again known: it is answered by the same job.",
        {"type": "string", "pattern": "^[!-~]{0,255}$"},
    ),
    "Range": ("The part that is asked for.", {"type": "string", "examples": ["bytes=0-999"]}),
    "Last-Event-ID": ("The last event that was seen, as browsers send it.", {"type": "string"}),
}

ANSWER_HEADERS: dict[str, Described] = {
    "X-Request-ID": ("Names the request.", {"type": "string"}),
    "ETag": ("Names the version of what is answered.", {"type": "string"}),
    "Location": ("Where it is.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 0}),
    "Preference-Applied": ("The preferences that were heeded.", {"type": "string"}),
}
