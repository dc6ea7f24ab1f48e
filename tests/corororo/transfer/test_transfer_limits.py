"""How much a zone has under way at once, how long that is likely to take, and who did it."""

from __future__ import annotations

import contextlib
import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from office import Office, double, doubles, first_of

import corororo as cr
from corororo._transfer._outgoing import MAX_BATCHES_OUT


def test_no_batch_takes_more_than_a_quarter_of_the_ring(office: Office) -> None:
    office.zone.send_nowait(first_of, "a", [(bytes(4_000),)] * 8)
    assert office.zone.statistics().batches_out == 4
    assert set(office.take_all().values()) == {4_000}


def test_no_more_batches_are_out_than_the_smallest_fifo_holds(tmp_path: Path) -> None:
    with contextlib.closing(Office(tmp_path, ring_bytes=1 << 20, max_batch=1)) as office:
        office.teach(double, 1_000)
        office.zone.send_nowait(double, "a", [(i,) for i in range(600)])
        assert office.zone.statistics().batches_out == MAX_BATCHES_OUT
        assert office.take_all() == doubles("a", 600)


def test_a_pool_bounds_what_its_schedulers_have_under_way(tmp_path: Path) -> None:
    async def one(x: int) -> int:
        return await double(x)

    with contextlib.closing(Office(tmp_path, max_pending=70)) as office:
        source = SimpleNamespace(open_transfer=lambda: office.zone)
        with cr.Scheduler(source) as scheduler:
            for i in range(1_000):
                scheduler.schedule(one(i))
            scheduler.tick(deadline=0, late="carry")
            assert 70 <= office.zone.in_flight <= 170  # what one slice of Tasks makes comes on top


def test_what_is_under_way_is_likely_to_take_as_long_as_it_has_before(office: Office) -> None:
    assert office.zone.likely_wait_s() == 0.0
    office.zone.send_nowait(double, "a", [(1,)])
    assert office.take_all() == {("a", 0): 2}
    [use] = office.zone.worker_use()
    office.zone.send_nowait(double, "b", [(i,) for i in range(6)])
    assert office.zone.likely_wait_s() == pytest.approx(use.busy_ns * 6 / 2 / 1e9)  # by two workers
    office.fill_the_calls()
    office.zone.send_nowait(double, "c", [(1,)])
    assert office.zone.likely_wait_s() == math.inf  # it waits, nobody knows how long


def test_what_a_worker_has_done_adds_up(office: Office) -> None:
    busy_ns = [0]
    for batch in range(1, 4):
        office.zone.send_nowait(double, "a", [(1,), (2,)])
        office.take_all()
        [use] = office.zone.worker_use()
        assert (use.worker, use.calls) == (1, 2 * batch)
        busy_ns.append(use.busy_ns)
    assert all(earlier < later for earlier, later in itertools.pairwise(busy_ns))
