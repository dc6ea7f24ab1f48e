from __future__ import annotations

import time

import pytest

import corororo as cr
from zonesim.workloads.base import ZoneSpec
from zonesim.zone import Zone, missed_ticks

PERIOD_NS = 400


@pytest.mark.parametrize(
    ("finished_ns", "missed"),
    [
        (1000, 0),  # at once
        (1400, 0),  # when the next one is due
        (1401, 0),  # late: the next one runs late
        (1799, 0),
        (1800, 1),  # a whole period after the next one was due: that one never runs
        (2199, 1),
        (2200, 2),
        (9000, 19),
    ],
)
def test_a_tick_is_missed_when_a_whole_period_has_passed_since_it_was_due(finished_ns, missed):
    assert missed_ticks(1000, finished_ns, PERIOD_NS, None) == missed


@pytest.mark.parametrize(
    ("end_ns", "missed"),
    [(1400, 0), (1401, 1), (1800, 1), (1801, 2), (2200, 2), (10**6, 19)],
)
def test_nothing_is_missed_that_is_due_at_the_end_or_later(end_ns, missed):
    assert missed_ticks(1000, 9000, PERIOD_NS, end_ns) == missed


def test_nothing_is_missed_where_nothing_is_due():
    assert missed_ticks(1000, 10**9, None, None) == 0


@pytest.fixture
def make_zone():
    zones = []
    with cr.WorkerPool(0) as pool, cr.SlackCollector() as garbage:

        def make(**changes: object) -> Zone:
            plain = {"zone": 5, "seed": 1, "period_s": 0.4, "workload": "chains", "graph": ""}
            zones.append(Zone(ZoneSpec(**{**plain, "chains": 3, **changes}), pool, garbage))
            return zones[-1]

        yield make
        for zone in zones:
            zone.close()


@pytest.mark.trio
async def test_a_row_tells_what_the_tick_did_and_when(make_zone):
    zone = make_zone()
    before_ns = time.monotonic_ns()

    row = await zone.tick(before_ns, 10**15, None)

    after_ns = time.monotonic_ns()
    assert (row.zone, row.tick, row.scheduled_ns) == (5, 0, before_ns)
    assert before_ns <= row.started_ns <= row.finished_ns <= after_ns
    assert (row.tasks, row.async_submitted, row.async_completed) == (12, 3, 3)
    assert (row.async_failed, row.retried, row.carried) == (0, 0, 0)
    assert (row.late, row.missed) == (False, 0)
    assert row.busy_ns + row.waiting_ns == row.finished_ns - row.started_ns
    assert row.world_hash == zone.world.world_hash()
    assert (row.entities, row.players) == (0, 0)


@pytest.mark.trio
async def test_ticks_are_numbered_and_each_changes_the_world(make_zone):
    zone = make_zone()

    rows = [await zone.tick(0, None, None) for _ in range(3)]

    assert [row.tick for row in rows] == [0, 1, 2]
    assert len({row.world_hash for row in rows}) == 3


@pytest.mark.trio
async def test_a_tick_that_ends_after_the_next_one_was_due_is_late(make_zone):
    zone = make_zone()
    long_ago_ns = time.monotonic_ns() - 10_000

    row = await zone.tick(long_ago_ns, 10_000, None)

    assert row.late
    assert row.missed >= 0


@pytest.mark.trio
async def test_without_a_period_no_tick_is_late(make_zone):
    row = await make_zone().tick(0, None, None)

    assert (row.late, row.missed) == (False, 0)


@pytest.mark.trio
async def test_zones_of_the_same_spec_go_the_same_way_and_others_do_not(make_zone):
    first, same, other = make_zone(), make_zone(), make_zone(zone=6)

    hashes = [(await zone.tick(0, None, None)).world_hash for zone in (first, same, other)]

    assert hashes[0] == hashes[1] != hashes[2]


def test_a_workload_that_nobody_knows_is_refused(make_zone):
    with pytest.raises((ValueError, LookupError), match="tournament"):
        make_zone(workload="tournament")
