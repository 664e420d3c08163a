"""Deadlines, the bounded queue, and equal calls made once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import Context

import pytest

from animation_server.errors import CancelledError, DeadlineError, InputError, OverloadedError
from animation_server.service import admission as admission_module
from animation_server.service.admission import Admission, Deadline, SingleFlight
from tests.parts.process import eventually


def test_deadline_passes() -> None:
    """Before the moment nothing happens, after it the work is refused."""
    Deadline.after(60).check()
    with pytest.raises(DeadlineError) as caught:
        Deadline.after(0).check()
    assert caught.value.status == 504
    assert Deadline.after(-5).remaining_s() == 0


def test_admission_turns_away_what_goes_beyond() -> None:
    """As many as the limit get in; a place is free again when its holder leaves, whichever way."""
    places: list[int] = []
    admission = Admission(2, 2, places.append)
    soon = Deadline.after(10)
    with admission.slot(soon), admission.slot(soon), pytest.raises(OverloadedError), admission.slot(soon):
        pass
    assert places == [1, 1, -1, -1]
    with pytest.raises(KeyError), admission.slot(soon):
        raise KeyError
    assert sum(places) == 0


def apart(*calls: Callable[[], object]) -> None:
    """Make calls, each as a request of its own."""
    for call in calls:
        Context().run(call)


def take(admission: Admission) -> None:
    with admission.slot(Deadline.after(10)):
        pass


def rush(admission: Admission) -> None:
    """Let somebody be refused."""
    with ExitStack() as places:
        for _ in range(admission.limit):
            places.enter_context(admission.slot(Deadline.after(10)))
        with pytest.raises(OverloadedError):
            apart(admission.claim)


def test_in_a_rush_a_claim_keeps_a_place() -> None:
    """What one has claimed no other claims; it is had once, by its slot, and may be given back."""
    admission = Admission(2, 2)
    rush(admission)

    def claim_and_take() -> None:
        admission.claim()
        with admission.slot(Deadline.after(10)), pytest.raises(OverloadedError):
            apart(admission.claim)

    first = Context()
    first.run(admission.claim)
    apart(claim_and_take)
    first.run(take, admission)
    for _ in range(3):
        first.run(admission.claim)
        first.run(admission.unclaim)
    first.run(admission.unclaim)
    apart(admission.claim, admission.claim)
    with pytest.raises(OverloadedError):
        apart(admission.claim)


def test_without_a_rush_claims_keep_nobody_out() -> None:
    """Any number may ask at once for what is stored already, and come without having claimed."""
    admission = Admission(2, 2)
    apart(*[admission.claim] * 10)
    take(admission)


def test_a_claim_is_over_when_nobody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is read too slowly loses its place to others, and takes its chance."""
    admission = Admission(1, 1)
    rush(admission)
    slow = Context()
    monkeypatch.setattr(admission_module, "CLAIM_S", 0.0)
    slow.run(admission.claim)
    monkeypatch.undo()
    with admission.slot(Deadline.after(10)), pytest.raises(OverloadedError):
        slow.run(take, admission)
    apart(admission.claim)
    with pytest.raises(OverloadedError):
        apart(admission.claim)
    slow.run(take, admission)


def test_who_was_refused_may_claim_again() -> None:
    """It gets a place that is free by then; who was not refused claims no second one."""
    admission = Admission(1, 1)
    refused = Context()
    with admission.slot(Deadline.after(10)):
        with pytest.raises(OverloadedError):
            refused.run(admission.claim)
        with pytest.raises(OverloadedError):
            refused.run(admission.claim_again)
        apart(admission.claim_again)
    refused.run(admission.claim_again)
    refused.run(admission.claim_again)
    with pytest.raises(OverloadedError):
        apart(admission.claim)
    refused.run(take, admission)
    apart(admission.claim)


def test_who_was_refused_takes_nothing_that_is_claimed() -> None:
    """A place that was promised to another since then is not had by coming for it without a claim."""
    admission = Admission(1, 1)
    refused = Context()
    with admission.slot(Deadline.after(10)), pytest.raises(OverloadedError):
        refused.run(admission.claim)
    other = Context()
    other.run(admission.claim)
    with pytest.raises(OverloadedError):
        refused.run(take, admission)
    other.run(take, admission)
    refused.run(take, admission)


def test_admission_is_in_turn() -> None:
    """One works, the others wait and follow in the order in which they came."""
    admission = Admission(5, 1)
    order: list[int] = []
    working: list[int] = []

    def work(number: int) -> None:
        with admission.slot(Deadline.after(10)):
            working.append(number)
            assert working == [number]
            order.append(number)
            working.remove(number)

    with ThreadPoolExecutor(4) as pool:
        with admission.slot(Deadline.after(10)):
            calls = []
            for number in range(4):
                calls.append(pool.submit(work, number))
                assert eventually(lambda count=number + 1: len(admission._waiting) == count, 10)
            assert order == []
        for call in calls:
            call.result()
    assert order == [0, 1, 2, 3]


def test_what_was_promised_is_not_turned_away() -> None:
    """It waits for its turn beyond the limit, seen by whoever counts; others are turned away as ever."""
    places: list[int] = []
    admission = Admission(1, 1, places.append)

    def work() -> str:
        with admission.slot(Deadline.after(10, promised=True)):
            return "done"

    with ThreadPoolExecutor(1) as pool:
        with admission.slot(Deadline.after(10)):
            promised = pool.submit(work)
            assert eventually(lambda: sum(places) == 2, 10)
            with pytest.raises(OverloadedError):
                take(admission)
        assert promised.result(10) == "done"
    assert sum(places) == 0
    take(admission)


def test_a_promise_has_an_end() -> None:
    """What was promised waits no longer than its deadline."""
    admission = Admission(1, 1)
    with (
        admission.slot(Deadline.after(10)),
        pytest.raises(DeadlineError),
        admission.slot(Deadline.after(0.01, promised=True)),
    ):
        pass


def test_a_promise_holds_for_whoever_leads() -> None:
    """A call that others may share is made under the promise of who makes it."""
    flights: SingleFlight[bool] = SingleFlight()
    for promised in (True, False):
        made = flights.run("key", lambda shared: shared.promised, Deadline.after(10, promised=promised))
        assert made == promised


def test_whoever_leaves_the_queue_keeps_nobody_waiting() -> None:
    """One who waits is out of time, another has left: both are told, and the next one has the turn."""
    admission = Admission(5, 1)
    leaving = Deadline.after(10)

    def work(deadline: Deadline) -> str:
        with admission.slot(deadline):
            return "done"

    with ThreadPoolExecutor(3) as pool:
        with admission.slot(Deadline.after(10)):
            late = pool.submit(work, Deadline.after(0.1))
            left = pool.submit(work, leaving)
            patient = pool.submit(work, Deadline.after(10))
            with pytest.raises(DeadlineError):
                late.result(10)
            leaving.cancel()
            with pytest.raises(CancelledError):
                left.result(10)
        assert patient.result(10) == "done"
    with admission.slot(Deadline.after(10)):
        pass


def fly_together(function: object, followers: int = 5) -> list[object]:
    """Make equal calls, all of which begin before the first one may end; return results or errors."""
    flights: SingleFlight[object] = SingleFlight()
    began, may_end = threading.Event(), threading.Event()

    def slow(_: Deadline) -> object:
        began.set()
        may_end.wait(10)
        return function()  # type: ignore[operator]

    def call() -> object:
        try:
            return flights.run("key", slow, Deadline.after(10))
        except InputError as exc:
            return exc

    with ThreadPoolExecutor(followers + 1) as pool:
        leader = pool.submit(call)
        assert began.wait(10)
        others = [pool.submit(call) for _ in range(followers)]
        # A follower that is late would call once more; the count of calls tells.
        threading.Timer(0.2, may_end.set).start()
        return [future.result() for future in [leader, *others]]


def test_equal_calls_are_made_once() -> None:
    """All get the one result."""
    calls: list[object] = []

    def make() -> object:
        calls.append(object())
        return calls[-1]

    results = fly_together(make)
    assert len(calls) == 1
    assert all(result is calls[0] for result in results)


def test_equal_calls_share_the_error() -> None:
    """A bad picture sent twice is looked at once."""
    error = InputError("bad")

    def fail() -> object:
        raise error

    assert all(result is error for result in fly_together(fail))


def test_nothing_is_remembered_after_landing() -> None:
    """The next equal call is made anew: after a failure that is how the service heals."""
    flights: SingleFlight[int] = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flights.run("key", lambda _: 1 // 0, Deadline.after(10))
    assert flights.run("key", lambda _: 2, Deadline.after(10)) == 2


def test_followers_wait_no_longer_than_their_deadline() -> None:
    """Whoever cannot wait is told so; the leader goes on."""
    flights: SingleFlight[int] = SingleFlight()
    began, may_end = threading.Event(), threading.Event()

    def slow(_: Deadline) -> int:
        began.set()
        may_end.wait(10)
        return 1

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.run, "key", slow, Deadline.after(10))
        assert began.wait(10)
        with pytest.raises(DeadlineError):
            flights.run("key", slow, Deadline.after(0.01))
        may_end.set()
        assert leader.result() == 1


def test_a_call_goes_on_while_anybody_waits() -> None:
    """The leader's client leaves and a follower's stays: the call is not cancelled, and made once."""
    flights: SingleFlight[int] = SingleFlight()
    began, may_end = threading.Event(), threading.Event()
    leader, follower = Deadline.after(10), Deadline.after(10)

    def slow(shared: Deadline) -> int:
        began.set()
        may_end.wait(10)
        shared.check()
        return 1

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(flights.run, "key", slow, leader)]
        assert began.wait(10)
        calls.append(pool.submit(flights.run, "key", lambda _: 2, follower))
        leader.cancel()
        threading.Timer(0.5, may_end.set).start()
        assert [call.result() for call in calls] == [1, 1]


def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    """The leader's client leaves after the follower's has: whoever comes next makes the call anew."""
    flights: SingleFlight[int] = SingleFlight()
    began, may_end = threading.Event(), threading.Event()
    leader, follower = Deadline.after(10), Deadline.after(10)

    def slow(shared: Deadline) -> int:
        began.set()
        may_end.wait(10)
        shared.check()
        return 1

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(flights.run, "key", slow, leader)]
        assert began.wait(10)
        calls.append(pool.submit(flights.run, "key", slow, follower))
        follower.cancel()
        with pytest.raises(CancelledError):
            calls[1].result()
        leader.cancel()
        may_end.set()
        with pytest.raises(CancelledError):
            calls[0].result()
    assert flights.run("key", lambda _: 3, Deadline.after(10)) == 3
