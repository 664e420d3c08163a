"""Uploads that come while every place is taken are refused by their heads, nearly all of them.

Reading a photograph, taking its form apart and asking the store what is there already takes fifty times as
long as saying no; where ten times as many come as can be served, little would be left for those who are.
"""

from __future__ import annotations

import time

from flask import Flask, request

from animation_server.api.jobs import is_for_later
from animation_server.api.parts import current_parts
from animation_server.errors import OverloadedError

MAY_BE_FOR_LATER = "animations.create_animations"
UPLOADS = frozenset({MAY_BE_FOR_LATER, "animations.create_mobile_animations", "characters.create_character"})
"""The calls that bring an image. One of them may ask for a job, and jobs have places of their own."""

LOOK_INTERVAL_S = 5.0
"""How often an upload is read although there is no place. What it asks for may be stored, or in the making
for a client that has lost its connection and asks again; neither takes a place.
"""


def register_early_refusal(app: Flask) -> None:
    """Refuse uploads before they are read; register it behind the access check, which costs even less."""
    glances = _Glances()

    @app.before_request
    def refuse() -> None:
        if request.method != "POST" or request.endpoint not in UPLOADS:
            return  # a preflight among others, whose refusal a page could not read
        if request.endpoint == MAY_BE_FOR_LATER and is_for_later():
            return
        try:
            current_parts().service.claim_place()
        except OverloadedError:
            if not glances.take():
                raise

    @app.teardown_request
    def give_back(_: BaseException | None) -> None:
        current_parts().service.unclaim_place()


class _Glances:
    """Gives one every LOOK_INTERVAL_S."""

    def __init__(self) -> None:
        self._next = 0.0

    def take(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_INTERVAL_S
        return True
