from __future__ import annotations

import errno
import itertools
import os

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from zonesim.controller.worker_scaler import Load, WorkerScaler, desired_workers
from zonesim.scenario.loading import WorkerBounds
from zonesim.wire.messages import WorkerTotals

BOUNDS = WorkerBounds(min=1, max=4)

loads = st.builds(Load, st.integers(1, 300), st.floats(0, 1e4), st.floats(0.01, 60))
bounds = st.builds(
    lambda low, more, target, buffer, hold: WorkerBounds(
        min=low, max=low + more, target_utilisation=target, buffer=buffer, hold=hold
    ),
    st.integers(1, 100),
    st.integers(0, 100),
    st.floats(0.01, 1),
    st.integers(0, 9),
    st.integers(1, 5),
)


def load(workers: int, utilisation: float) -> Load:
    return Load(workers, workers * utilisation * 2.0, 2.0)


@pytest.mark.parametrize(
    ("workers", "utilisation", "desired"),
    [(1, 0.0, 1), (1, 0.7, 1), (1, 0.71, 2), (2, 0.7, 2), (2, 1.0, 3), (3, 1.0, 4)],
)
def test_as_many_workers_are_wanted_as_keep_each_at_the_target(workers, utilisation, desired):
    assert desired_workers([load(workers, utilisation)], BOUNDS) == desired


@given(st.lists(loads, max_size=8), loads, bounds)
def test_the_number_is_within_the_bounds_and_more_are_wanted_at_once(before, latest, within):
    desired, alone = (desired_workers([*some, latest], within) for some in (before, ()))
    assert within.min <= desired <= within.max
    if alone > latest.workers:
        assert desired == alone


def test_fewer_are_wanted_when_fewer_would_have_done_for_several_syncs_in_a_row():
    idle, busy = load(4, 0.0), load(4, 0.6)
    assert desired_workers([busy, idle, idle], BOUNDS) == 4
    assert desired_workers([busy, idle, idle, idle], BOUNDS) == 1
    assert desired_workers([load(4, 0.1), load(4, 0.3), load(4, 0.0)], BOUNDS) == 2


def test_the_buffer_is_kept_beside_the_workers_that_are_needed():
    within = WorkerBounds(min=1, max=4, buffer=2)
    assert [desired_workers([each], within) for each in (load(2, 0.1), load(4, 1))] == [3, 4]


def test_busy_time_that_is_reported_late_does_not_count_for_more_workers_than_there_were():
    assert desired_workers([Load(2, 40.0, 2.0)], WorkerBounds(max=100)) == 3


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
async def test_a_resize_that_fails_is_reported_and_tried_again_at_the_next_sync():
    pool, changes, enough = CrowdedPool(), [], trio.Event()
    busy_ns = itertools.count(0, 10**12)

    def work() -> list[WorkerTotals]:
        return [WorkerTotals(1, 0, 0, next(busy_ns))]

    def note(kind: str, change: str) -> None:
        changes.append(change)
        if len(changes) == 2:
            enough.set()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            scaler = WorkerScaler(pool, WorkerBounds(max=2, sync_s=0.05), work, note)
            nursery.start_soon(scaler.run)
            await enough.wait()
            nursery.cancel_scope.cancel()

    assert changes[0].startswith("1 -> 1: ")
    assert changes[0].endswith(os.strerror(errno.ENOSPC))
    assert changes[1].startswith("1 -> 2: ")
