"""Uploads that come while every place is taken are refused by their heads, while that is the better deal.

Reading a photograph and taking its form apart takes several times as long as saying no; where ten times as
many come as can be served, that adds up. But some ask for what is stored already, or in the making for a
client that has lost its connection and asks again. Neither takes a place, and both are worth far more than
they cost.
"""

from __future__ import annotations

import time

from flask import Flask, Response, request

from animation_server.api.jobs import is_for_later
from animation_server.api.parts import current_parts
from animation_server.errors import OverloadedError

MAY_BE_FOR_LATER = "animations.create_animations"
MAY_BE_STORED = frozenset({MAY_BE_FOR_LATER, "animations.create_mobile_animations"})
UPLOADS = MAY_BE_STORED | {"characters.create_character"}
"""The calls that bring an image. One of them may ask for a job, and jobs have places of their own."""

LOOKS_A_FIND = 50
"""How many uploads are read in vain, one after the other, for which there is no place: making an animation
takes fifty times as long as reading a large photograph that asks for it, and more.
"""

LOOK_INTERVAL_S = 2.0
"""How often one is read nevertheless, once those were in vain."""


def register_early_refusal(app: Flask) -> None:
    """Refuse uploads before they are read; register it behind the access check, which costs even less."""
    looks = _Looks()

    @app.before_request
    def refuse() -> None:
        if request.method != "POST" or request.endpoint not in UPLOADS:
            return  # a preflight among others, whose refusal a page could not read
        if request.endpoint == MAY_BE_FOR_LATER and is_for_later():
            return
        try:
            current_parts().service.admission.claim()
        except OverloadedError:
            if request.endpoint not in MAY_BE_STORED or not looks.take():
                raise

    @app.after_request
    def note_find(response: Response) -> Response:
        if response.status_code == 200 and current_parts().service.admission.has_refused:
            looks.refill()
        return response

    @app.teardown_request
    def give_back(_: BaseException | None) -> None:
        current_parts().service.admission.unclaim()


class _Looks:
    """A bucket of looks: full at first and after every find, else one more every LOOK_INTERVAL_S."""

    def __init__(self) -> None:
        self._left = float(LOOKS_A_FIND)
        self._counted_at = time.monotonic()

    def take(self) -> bool:
        """Take one, if there is one left."""
        now = time.monotonic()
        gained = (now - self._counted_at) / LOOK_INTERVAL_S
        self._left, self._counted_at = min(LOOKS_A_FIND, self._left + gained), now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def refill(self) -> None:
        """Give all of them back: it was worth it."""
        self._left = float(LOOKS_A_FIND)
