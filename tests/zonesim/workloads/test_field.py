from __future__ import annotations

import msgspec
import pytest

import corororo as cr
from corororo.testing import MockClock
from zonesim.workloads import make_world
from zonesim.workloads.base import ZoneSpec
from zonesim.world import behaviour
from zonesim.world.behaviour import find_path
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "caves.graph"
    write_graph(make_map("caves", 64, 64, 5), path)
    return ZoneSpec(zone=2, seed=9, period_s=0.4, workload="field", graph=str(path))


def run(world, ticks, first=0):
    """Run ticks; the hash after each."""
    hashes = []
    with cr.Scheduler() as scheduler:
        for number in range(first, first + ticks):
            assert scheduler.run(world.tick(number)) == world.entities
            hashes.append(world.world_hash())
    return hashes


def test_the_same_spec_gives_the_same_hashes(spec):
    hashes = run(make_world(spec), 30)
    assert run(make_world(spec), 30) == hashes
    assert len(set(hashes)) == 30


def test_zones_and_seeds_have_worlds_of_their_own(spec):
    replace = msgspec.structs.replace
    specs = (spec, replace(spec, zone=3), replace(spec, seed=10), replace(spec, period_s=0.2))
    assert len({run(make_world(each), 2)[-1] for each in specs}) == 4


@pytest.mark.parametrize("ticks", [0, 1, 40])
def test_a_restored_world_continues_with_the_same_hashes(spec, ticks):
    before = make_world(spec)
    run(before, ticks)
    snapshot = before.snapshot()
    expected = run(before, 30, first=ticks)
    after = make_world(spec)
    after.restore(snapshot)
    assert run(after, 30, first=ticks) == expected


@pytest.fixture
def run_carrying(monkeypatch):
    """Run ticks whose paths take five of them; where each entity is after each tick."""

    async def find_path_later(graph, start, goal):
        await cr.sleep(2.0)
        return find_path.call_inline(graph, start, goal)

    monkeypatch.setattr(behaviour, "find_path", find_path_later)

    schedulers = []

    def run_carrying(world, ticks, first=0):
        scheduler = cr.Scheduler(clock=(clock := MockClock()))
        schedulers.append(scheduler)  # the paths that are out stay out until the test is over
        places = []
        for number in range(first, first + ticks):
            scheduler.schedule(world.tick(number))
            scheduler.tick(deadline=0, late="carry")
            clock.jump(0.4)
            places.append(list(zip(world._entities.x, world._entities.y, strict=True)))
        return places

    yield run_carrying
    for scheduler in schedulers:
        scheduler.close()


def test_a_world_restored_while_paths_are_out_continues_with_all_its_entities(spec, run_carrying):
    before, after = make_world(spec), make_world(spec)
    run_carrying(before, 30)
    waiting = [i for i, waits in enumerate(before._behaviour.waiting) if waits]
    after.restore(before.snapshot())
    assert after.world_hash() == before.world_hash()
    places = run_carrying(after, 200, first=30)
    assert waiting
    for i in waiting:  # they do not wait for a path that never comes
        assert len({of_tick[i] for of_tick in places}) > 1


@pytest.mark.parametrize(("mobs", "players"), [(0, 3), (20, 0)])
def test_a_zone_may_have_no_mobs_or_no_players(spec, mobs, players):
    world = make_world(msgspec.structs.replace(spec, mobs=mobs, players=players))
    assert len(set(run(world, 100))) > 1
