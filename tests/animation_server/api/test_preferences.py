"""What clients prefer, as they write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animation_server.api.preferences import Preferences, parse_prefer


@pytest.mark.parametrize(
    ("fields", "preferences", "applied"),
    [
        ([], Preferences(), ""),
        (["respond-async"], Preferences(True), "respond-async"),
        (["respond-async, wait=10"], Preferences(True, 10), "respond-async, wait=10"),
        (["Wait=5", "RESPOND-ASYNC; x=y"], Preferences(True, 5), "respond-async, wait=5"),
        (['wait="7"; a=b, wait=9, handling=lenient'], Preferences(False, 7), "wait=7"),
        (["wait=-1, wait=x, wait"], Preferences(), ""),
    ],
)
def test_reads_preferences(fields: list[str], preferences: Preferences, applied: str) -> None:
    """As RFC 7240 has it: any case, any number of fields, the first of a name, nothing else minded."""
    assert parse_prefer(fields) == preferences
    assert preferences.applied == applied


@given(st.lists(st.text()))
def test_no_preference_is_an_error(fields: list[str]) -> None:
    """Whatever comes, it is understood or passed over."""
    wait_s = parse_prefer(fields).wait_s
    assert wait_s is None or 0 <= wait_s < 10**9
