from __future__ import annotations

import math
import time

import pytest

import corororo as cr
from zonesim.workloads.base import ZoneSpec
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map
from zonesim.zone.checkpoint import Checkpoint, CheckpointError
from zonesim.zone.schedule import Schedule
from zonesim.zone.ticker import CHECKS_BEFORE_HUNG, HangDetector
from zonesim.zone.zone import Zone


@pytest.fixture
def make_zone():
    zones = []
    with cr.WorkerPool(0) as pool, cr.SlackCollector() as garbage:

        def make(resume: Checkpoint | None = None, life: int = 1, **changes: object) -> Zone:
            plain = {"zone": 5, "seed": 1, "period_s": 0.4, "workload": "chains", "graph": ""}
            spec = ZoneSpec(**{**plain, "chains": 3, **changes})
            zones.append(Zone(spec, pool, garbage, resume, life))
            return zones[-1]

        yield make
        for zone in zones:
            zone.scheduler.close()


@pytest.mark.trio
async def test_a_row_tells_what_the_tick_did_and_when(make_zone):
    zone = make_zone()
    before_ns = time.monotonic_ns()

    row = await zone.tick(Schedule(before_ns, 10**15))

    after_ns = time.monotonic_ns()
    assert (row.zone, row.tick, row.scheduled_ns) == (5, 0, before_ns)
    assert before_ns <= row.started_ns <= row.finished_ns <= after_ns
    assert (row.tasks, row.async_submitted, row.async_completed) == (12, 3, 3)
    assert (row.async_failed, row.retried, row.carried) == (0, 0, 0)
    assert (row.late, row.missed) == (False, 0)
    assert 0 < row.busy_ns <= row.finished_ns - row.started_ns
    assert row.world_hash == zone.world.world_hash()
    assert (row.entities, row.players) == (0, 0)


@pytest.mark.trio
async def test_a_rehearsal_leaves_no_trace_in_the_ticks_after_it(make_zone, workload):
    rehearsed, other = make_zone(**workload), make_zone(**workload)

    await rehearsed.rehearse(until_s=math.inf)

    for _ in range(2):
        found, expected = await rehearsed.tick(None), await other.tick(None)
        for what in ("tick", "tasks", "async_submitted", "async_completed", "world_hash"):
            assert getattr(found, what) == getattr(expected, what)
        assert found.async_failed == found.carried == found.retried == 0


@pytest.mark.trio
async def test_a_tick_that_ends_after_the_next_one_was_due_is_late(make_zone):
    zone = make_zone()
    schedule = Schedule(time.monotonic_ns() - 35_000_000_000, 10_000_000_000)

    row = await zone.tick(schedule)

    assert (row.late, row.missed) == (True, 2)
    assert schedule.due_ns == row.scheduled_ns + 30_000_000_000


@pytest.fixture
def field(tmp_path):
    """The spec of a small zone with players."""
    write_graph(make_map("caves", 32, 32, 3), tmp_path / "map.graph")
    graph = str(tmp_path / "map.graph")
    return {"workload": "field", "graph": graph, "mobs": 20, "players": 3}


@pytest.fixture(params=["chains", "field"])
def workload(request, field):
    return field if request.param == "field" else {"workload": "chains", "chains": 20}


async def run(zone: Zone, ticks: int) -> list[tuple[int, int]]:
    """Run ticks; the number and the hash of each."""
    rows = [await zone.tick(None) for _ in range(ticks)]
    return [(row.tick, row.world_hash) for row in rows]


@pytest.mark.trio
@pytest.mark.parametrize("every", [1, 7])
async def test_a_zone_that_is_restored_again_and_again_runs_as_if_undisturbed(
    make_zone, workload, every
):
    expected = await run(make_zone(**workload), 42)

    rows, saved = [], None
    for _ in range(42 // every):
        zone = make_zone(saved, **workload)
        rows += await run(zone, every)
        saved = zone.checkpoint()

    assert rows == expected


@pytest.mark.trio
async def test_a_checkpoint_whose_hash_is_not_that_of_its_world_is_refused(make_zone):
    zone = make_zone()
    hash_then = (await run(zone, 3))[-1][1]
    checkpoint = Checkpoint(2, hash_then ^ 1, zone.world.snapshot())
    with pytest.raises(CheckpointError, match="tick 2: expected a world of hash") as refused:
        make_zone(checkpoint)
    assert f"{hash_then:016x}" in str(refused.value)


@pytest.mark.parametrize("snapshot", [b"", b"nonsense"])
def test_a_checkpoint_that_holds_something_else_is_refused(make_zone, snapshot):
    with pytest.raises(CheckpointError, match="cannot be restored from its checkpoint of tick 4"):
        make_zone(Checkpoint(4, 0, snapshot))


@pytest.mark.trio
async def test_a_repeated_transfer_takes_players_in_once(make_zone, field):
    giver, heir = make_zone(zone=1, **field), make_zone(**{**field, "players": 2})
    players = giver.release()

    heir.adopt(7, players)
    heir.adopt(7, players)
    again = make_zone(heir.checkpoint(), **field)
    again.adopt(7, players)

    assert (giver.world.players, heir.world.players, again.world.players) == (0, 5, 5)


@pytest.mark.trio
async def test_a_restored_zone_releases_the_same_players_again(make_zone, field):
    zone = make_zone(**field)
    players = zone.release()

    again = make_zone(zone.checkpoint(), **field)

    assert again.release() == players
    assert again.world.players == 0

    new_life = make_zone(again.checkpoint(), life=2, **field)

    assert new_life.world.players == 0
    new_life.adopt(1, players)
    assert new_life.world.players == 3
    assert make_zone(new_life.checkpoint(), life=2, **field).world.players == 3


@pytest.mark.trio
async def test_a_new_life_whose_release_was_not_saved_brings_no_players_back(make_zone, field):
    zone = make_zone(**field)
    saved_last = zone.checkpoint()
    zone.release()  # and no checkpoint could be written

    assert make_zone(saved_last, life=2, **field).world.players == 0
    assert make_zone(None, life=2, **field).world.players == 0
    assert make_zone(saved_last, **field).world.players == 3


class Ticking:
    """A zone of which only its progress is known."""

    def __init__(self) -> None:
        self.ticking, self.progress = True, (5, 0)


def test_a_zone_hangs_after_so_many_checks_without_progress():
    detector, hung, idle = HangDetector(20.0), Ticking(), Ticking()
    idle.ticking = False
    found = [detector.check([idle, hung]) for _ in range(CHECKS_BEFORE_HUNG + 2)]
    assert found == [[]] * CHECKS_BEFORE_HUNG + [[hung]] * 2
    assert detector.interval_s * CHECKS_BEFORE_HUNG == 20.0


@pytest.mark.parametrize("change", ["next tick", "reply", "pause", "gone"])
def test_a_zone_that_makes_progress_or_does_not_tick_is_well(change):
    detector, zone = HangDetector(20.0), Ticking()
    for check in range(4 * CHECKS_BEFORE_HUNG):
        is_turn = check % CHECKS_BEFORE_HUNG == 0
        if is_turn and change in ("next tick", "reply"):
            zone.progress = (5 + check, 0) if change == "next tick" else (5, check)
        zone.ticking = not (is_turn and change == "pause")
        assert detector.check([] if is_turn and change == "gone" else [zone]) == []
