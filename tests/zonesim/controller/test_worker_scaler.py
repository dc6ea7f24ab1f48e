from __future__ import annotations

import errno
import itertools
import os

import pytest
import trio

from zonesim.controller.worker_scaler import HeadCount, WorkerScaler
from zonesim.scenario.tables import WorkerBounds


class CrowdedPool:
    """A pool whose disk is full when it is resized for the first time."""

    def __init__(self) -> None:
        self.workers = 1
        self.resizes = 0

    def resize(self, workers: int) -> None:
        self.resizes += 1
        if self.resizes == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.workers = workers


@pytest.mark.trio
async def test_a_pool_that_finds_no_room_is_told_of_and_resized_at_the_next_sync():
    pool, told = CrowdedPool(), []
    busy_ns = itertools.count(0, 10**12).__next__  # whoever asks hears of more than anybody can do
    enough = trio.Event()

    def tell(what: str) -> None:
        told.append(what)
        if len(told) == 2:
            enough.set()

    bounds = WorkerBounds(max=2, sync_s=0.05)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(WorkerScaler(pool, bounds, busy_ns, tell).run)
            await enough.wait()
            nursery.cancel_scope.cancel()

    assert told[0].startswith("1 -> 1: ")
    assert told[0].endswith(os.strerror(errno.ENOSPC))
    assert told[1].startswith("1 -> 2: ")


def test_a_number_that_stays_is_its_own_mean():
    count = HeadCount(3, now_ns=100)

    assert count.mean(100) == 3.0
    assert count.mean(1100) == 3.0


def test_each_number_counts_for_as_long_as_it_held():
    count = HeadCount(1, now_ns=0)
    count.note(2, now_ns=500)
    count.note(4, now_ns=750)

    assert count.mean(1000) == pytest.approx(1 * 0.5 + 2 * 0.25 + 4 * 0.25)
    assert count.mean(750) == pytest.approx((1 * 500 + 2 * 250) / 750)
