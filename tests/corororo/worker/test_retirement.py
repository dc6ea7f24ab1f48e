"""Workers that are asked to end: how they are asked, and what they still do."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from zone_and_worker import ZoneAndWorker, double, ran

from corororo._idle import BusySpin, Park
from corororo._worker._loop import Inbox
from corororo._worker._main import RETIRE_SIGNAL


def test_a_retired_worker_takes_nothing_and_leaves_it_to_the_others(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(1,)])
    pair.worker.retire()
    assert pair.worker.do_work() is None
    assert pair.has_calls()
    assert ran == []


@pytest.mark.parametrize("idle", [Park(), BusySpin()])
def test_an_inbox_that_waits_ends_its_wait_at_the_signal(
    pair: ZoneAndWorker, idle: Park | BusySpin
) -> None:
    """As in a worker: the signal comes to the main thread, which waits for a descriptor."""
    inbox = Inbox(pair.session.calls, idle)
    over = threading.Event()

    def ask_until_it_is_over() -> None:
        while not over.wait(0.02):  # a signal just before the wait is heeded at the next one
            os.kill(os.getpid(), RETIRE_SIGNAL)

    asking = threading.Thread(target=ask_until_it_is_over)
    before = signal.signal(RETIRE_SIGNAL, lambda *_: inbox.retire())
    try:
        asking.start()
        assert inbox.next() is None
        assert inbox.next() is None
    finally:
        over.set()
        asking.join()
        signal.signal(RETIRE_SIGNAL, before)
        inbox.close()
