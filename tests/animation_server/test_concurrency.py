"""Executors: plain threads here, gevent's in a process of its own that is patched."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from animation_server.concurrency import ThreadExecutor, is_patched, make_executor, native_lock, usable_cores


def test_unpatched_processes_get_plain_threads() -> None:
    """The command line and the tests run without gevent's loop."""
    assert not is_patched()
    assert isinstance(make_executor(0), ThreadExecutor)
    assert usable_cores() >= 1


def test_runs_side_by_side_in_order() -> None:
    """Items run at the same time, each on a thread, and their results keep the items' order."""
    executor = ThreadExecutor(3)
    meet = threading.Barrier(3, timeout=10)

    def work(item: int) -> tuple[int, str]:
        meet.wait()
        return item, threading.current_thread().name

    results = executor.map(work, [1, 2, 3])
    assert [item for item, _ in results] == [1, 2, 3]
    assert len({name for _, name in results}) == 3
    executor.close()


def test_errors_come_back_after_all_have_run() -> None:
    """One item's error is raised, but not before the others are done."""
    executor = ThreadExecutor(1)
    done = []

    def work(item: int) -> None:
        if item == 0:
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError):
        executor.map(work, [0, 1, 2])
    assert done == [1, 2]
    with pytest.raises(ZeroDivisionError):
        executor.run(lambda: 1 // 0)
    assert executor.run_io(lambda: 7) == 7
    executor.close()


def test_network_calls_run_side_by_side() -> None:
    """All at the same time, results in order; the first error that there is comes back."""
    executor = ThreadExecutor(1)
    meet = threading.Barrier(5, timeout=10)

    def call(item: int) -> int:
        meet.wait()
        return item * item

    assert executor.map_io(call, range(5)) == [0, 1, 4, 9, 16]
    assert executor.map_io(call, []) == []
    with pytest.raises(ZeroDivisionError):
        executor.map_io(lambda item: 1 // item, [1, 0])
    executor.close()


def test_network_calls_are_given_up_in_time() -> None:
    """Nobody waits for a call that outlasts the time that is left."""
    executor = ThreadExecutor(1)
    answered = threading.Event()
    with pytest.raises(TimeoutError, match="1 of 2"):
        executor.map_io(lambda item: item or answered.wait(10), [1, 0], 0.05)
    answered.set()
    assert executor.map_io(lambda item: item, [1, 2], 5.0) == [1, 2]
    executor.close()


def test_native_locks_lock() -> None:
    """A native lock is a lock."""
    lock = native_lock()
    with lock:
        assert not lock.acquire(blocking=False)


GEVENT_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import socket, threading, time
import gevent
from animation_server.concurrency import IO_THREADS, GeventExecutor, make_executor

native_ident = monkey.get_original("_thread", "get_ident")
hub_ident = native_ident()
executor = make_executor(2)
assert isinstance(executor, GeventExecutor)

# Work runs in native threads, and while it spins there the loop goes on.
ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)
ticker = gevent.spawn(tick)
def work(item):
    began = len(ticks)
    original_sleep = monkey.get_original("time", "sleep")
    while len(ticks) < began + 5:
        original_sleep(0.001)
    return item, native_ident()
results = executor.map(work, range(6))
assert [item for item, _ in results] == list(range(6))
assert hub_ident not in {ident for _, ident in results}

# Network calls from those threads run on the loop, where patched sockets work; errors come back.
from gevent.server import StreamServer
server = StreamServer(("127.0.0.1", 0), lambda s, a: s.sendall(b"answer"))
server.start()
def exchange():
    assert native_ident() == hub_ident
    with socket.create_connection(("127.0.0.1", server.server_port)) as s:
        return s.recv(100)
assert executor.map(lambda _: executor.run_io(exchange), range(8)) == [b"answer"] * 8
assert executor.run_io(exchange) == b"answer"
def fail():
    raise KeyError("io")
for call in (lambda: executor.run(lambda: executor.run_io(fail)), lambda: executor.run(fail)):
    try:
        call()
    except KeyError:
        pass
    else:
        raise SystemExit("expected a KeyError")

# Several at once, from the loop as from native threads; what outlasts its time is given up.
def meet(item):
    waiting.append(item)
    while len(waiting) < 3:
        gevent.sleep(0.001)
    return item
for run in (lambda call: call(), executor.run):
    waiting = []
    assert run(lambda: executor.map_io(meet, [1, 2, 3])) == [1, 2, 3]
    closed = []
    def hang(item):
        try:
            gevent.sleep(60)
        finally:
            closed.append(item)
    try:
        run(lambda: executor.map_io(hang, [1, 2], 0.05))
    except TimeoutError:
        gevent.sleep(0)
        assert sorted(closed) == [1, 2]
    else:
        raise SystemExit("expected a TimeoutError")

# But no more at a time than there are connections for.
at_once = most = 0
def count(item):
    global at_once, most
    at_once += 1
    most = max(most, at_once)
    gevent.sleep(0.001)
    at_once -= 1
    return item
assert executor.map_io(count, range(100)) == list(range(100))
assert most == IO_THREADS, most
started = []
try:
    executor.map_io(lambda item: started.append(item) or gevent.sleep(60), range(100), 0.05)
except TimeoutError:
    gevent.sleep(0.01)
    assert len(started) == IO_THREADS, started
else:
    raise SystemExit("expected a TimeoutError")
ticker.kill()
executor.close()
print("done")
"""


def test_gevent_executor() -> None:
    """In a patched process CPU work leaves the loop, and its network calls come back to it, in silence."""
    result = subprocess.run(
        [sys.executable, "-c", GEVENT_PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)


NICE_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import os, threading
from animation_server.concurrency import make_executor
os.nice(8)
executor = make_executor(1)
niceness = lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
print(niceness(), executor.run(niceness), executor.run(niceness))
executor.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is the whole process's")
def test_renders_give_way_to_the_loop_however_nice_the_process_is() -> None:
    """A service that was started with `nice` asks for no more than it has, which it would be refused."""
    result = subprocess.run(
        [sys.executable, "-c", NICE_PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    loop, first, second = map(int, result.stdout.split())
    assert loop < first == second, result.stderr
