from __future__ import annotations

import os
import threading
import time

from live_states import RUNNING, state

from zonesim.live.latest import LatestThread
from zonesim.live.view_file import VIEW_FILE, ViewFile, read_view

LIMIT_S = 60.0


def test_what_comes_meanwhile_takes_the_place_of_what_waits_and_the_last_one_is_done():
    done: list[int] = []
    at_work, go_on = threading.Event(), threading.Event()

    def work(number: int) -> None:
        done.append(number)
        at_work.set()
        assert go_on.wait(LIMIT_S)

    with LatestThread("test", work) as latest:
        latest.give(0)
        assert at_work.wait(LIMIT_S)
        for number in range(1, 100):
            latest.give(number)
        go_on.set()

    assert done == [0, 99]


def test_a_run_does_not_wait_for_a_view_that_nobody_can_write(tmp_path, monkeypatch):
    monkeypatch.setattr("zonesim.live.latest.CLOSE_S", 0.1)
    stall = tmp_path / f".{VIEW_FILE}"
    os.mkfifo(stall)  # whoever opens it to write waits for a reader
    began_s = time.monotonic()
    with LatestThread("test", ViewFile(tmp_path, tmp_path).publish) as latest:
        latest.give(RUNNING)
        latest.give(state(ticks=57))
    assert time.monotonic() - began_s < LIMIT_S

    reader = os.open(stall, os.O_RDONLY)  # the disk goes on, and so does the thread
    latest._thread.join(LIMIT_S)
    os.close(reader)
    assert not latest._thread.is_alive()


def test_the_latest_view_is_there_at_the_end(tmp_path):
    with LatestThread("test", ViewFile(tmp_path, tmp_path).publish) as latest:
        for ticks in range(50):
            latest.give(state(ticks=ticks))

    assert read_view(tmp_path).progress.ticks == 49
