"""How a client wants to be answered: Prefer (RFC 7240), Accept, Idempotency-Key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.datastructures import Headers, MIMEAccept

from animation_server.errors import InputError

EVENT_STREAM = "text/event-stream"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Preferences:
    """respond_async : a job instead of the result. wait_s : how long the client is willing to wait for it."""

    respond_async: bool = False
    wait_s: int | None = None

    @property
    def applied(self) -> str:
        """What Preference-Applied says where both were heeded."""
        wait = [] if self.wait_s is None else [f"wait={self.wait_s}"]
        return ", ".join([*["respond-async"] * self.respond_async, *wait])


def parse_prefer(fields: Iterable[str]) -> Preferences:
    """Read the Prefer fields of a request. What is not understood is passed over, as the RFC has it."""
    respond_async, wait_s = False, None
    for preference in ",".join(fields).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "respond-async":
            respond_async = True
        elif name == "wait" and wait_s is None and re.fullmatch(r"[0-9]{1,9}", value):
            wait_s = int(value)
    return Preferences(respond_async, wait_s)


def wants_events(accept: MIMEAccept) -> bool:
    """Tell whether a client would rather have server-sent events than JSON."""
    return accept.best_match(["application/json", EVENT_STREAM]) == EVENT_STREAM


def idempotency_key(headers: Headers) -> str:
    """Return the Idempotency-Key of a request, empty where it has none; InputError where it is not fit."""
    key = headers.get("Idempotency-Key", "").strip()
    if key and not _KEY.fullmatch(key):
        raise InputError(
            f"Idempotency-Key: expected 1 to 255 visible ASCII characters, came {len(key)} others.",
            code="bad_idempotency_key",
        )
    return key
