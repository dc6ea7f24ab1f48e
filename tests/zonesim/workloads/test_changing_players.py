"""Worlds whose players change: guests of surges, and players handed over between zones."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corororo as cr
from corororo.testing import MockClock
from zonesim.scenario.load_shape import Surge, guests_at
from zonesim.workloads import chains, make_world
from zonesim.workloads.base import ZoneSpec
from zonesim.world import behaviour
from zonesim.world.behaviour import find_path
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map

TICKS = 40
SURGES = (
    Surge(first_tick=5, ticks=10, players=8),
    Surge(first_tick=10, ticks=3, players=4, every_ticks=7),
)


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    """A small zone of each workload, by its name."""
    path = tmp_path_factory.mktemp("graphs") / "caves.graph"
    write_graph(make_map("caves", 32, 32, 5), path)
    plain = ZoneSpec(zone=2, seed=9, period_s=0.4, workload="chains", graph="", chains=20)
    field = {"workload": "field", "graph": str(path), "mobs": 60, "players": 5}
    return {"chains": plain, "field": msgspec.structs.replace(plain, **field)}


@pytest.fixture(params=["chains", "field"])
def calm(request, specs):
    return specs[request.param]


@pytest.fixture
def spec(calm):
    return msgspec.structs.replace(calm, surges=SURGES)


def run(world, ticks, first=0):
    """Run ticks; the hash after each."""
    hashes = []
    with cr.Scheduler() as scheduler:
        for number in range(first, first + ticks):
            scheduler.run(world.tick(number))
            hashes.append(world.world_hash())
    return hashes


def test_guests_are_players_while_they_are_there(spec):
    world = make_world(spec)
    entities, players = world.entities, world.players
    for tick in range(30):
        run(world, 1, tick)
        guests = guests_at(SURGES, tick)
        assert (world.entities, world.players) == (entities + guests, players + guests)


def test_the_same_surges_give_the_same_hashes_and_others_give_others(spec, calm):
    hashes = run(make_world(spec), TICKS)
    later = msgspec.structs.replace(spec, surges=(Surge(6, 10, 8),))
    assert run(make_world(spec), TICKS) == hashes
    assert len({tuple(run(make_world(each), TICKS)) for each in (spec, calm, later)}) == 3


def test_answers_in_any_order_give_the_same_hashes(spec, monkeypatch):
    """Each call takes its time, by what it asks for: the last may be the first to come back."""
    expected = run(make_world(spec), TICKS)

    def in_any_order(call):
        async def late(*arguments):
            await cr.sleep(sum(a for a in arguments if isinstance(a, int)) % 7 / 100)
            return call.call_inline(*arguments)

        return late

    monkeypatch.setattr(chains, "answer", in_any_order(chains.answer))
    monkeypatch.setattr(behaviour, "find_path", in_any_order(find_path))
    world, hashes = make_world(spec), []
    with cr.Scheduler(clock=(clock := MockClock())) as scheduler:
        for number in range(TICKS):
            scheduler.schedule(world.tick(number))
            for _ in range(8):
                scheduler.tick()
                clock.jump(0.01)
            hashes.append(world.world_hash())
    assert hashes == expected


@settings(max_examples=20, deadline=None)
@given(
    surges=st.lists(
        st.builds(
            Surge,
            first_tick=st.integers(0, 15),
            ticks=st.integers(1, 6),
            players=st.integers(1, 4),
            every_ticks=st.none() | st.floats(6, 12),
        ),
        max_size=3,
    ),
    deaths=st.lists(st.integers(1, 5), max_size=4),
    workload=st.sampled_from(["chains", "field"]),
)
def test_deaths_during_surges_do_not_change_the_hashes(specs, surges, deaths, workload):
    spec = msgspec.structs.replace(specs[workload], surges=tuple(surges))
    expected = run(make_world(spec), 20)

    world, hashes, snapshot, saved = make_world(spec), [], make_world(spec).snapshot(), 0
    for ticks in deaths:  # so many ticks, then a death, with a checkpoint one tick before
        hashes[saved:] = run(world, ticks - 1, saved)
        snapshot, saved = world.snapshot(), saved + ticks - 1
        hashes[saved:] = run(world, 1, saved)
        world = make_world(spec)
        world.restore(snapshot)
    hashes[saved:] = run(world, 20 - saved, saved)

    assert hashes == expected


def test_players_adopted_in_mid_surge_stay_when_the_guests_leave(specs):
    spec = msgspec.structs.replace(specs["field"], surges=(Surge(3, 10, 8),))
    arriving = make_world(msgspec.structs.replace(specs["field"], zone=7)).release_players()

    def run_once():
        world = make_world(spec)
        hashes = run(world, 6)
        world.adopt_players(arriving)
        hashes += run(world, 2, 6)
        assert world.players == 5 + 5 + 8
        return hashes + run(world, 12, 8), world.players

    assert run_once() == run_once()
    assert run_once()[1] == 10


@pytest.fixture(scope="module")
def two_zones(specs, tmp_path_factory):
    """Two zones on maps of their own."""
    path = tmp_path_factory.mktemp("graphs") / "fields.graph"
    write_graph(make_map("fields", 32, 32, 5), path)
    one = msgspec.structs.replace(specs["field"], zone=0, mobs=80, players=8)
    return [one, msgspec.structs.replace(one, zone=1, graph=str(path))]


@pytest.fixture
def handed_over(two_zones):
    """A zone that released its players after 30 ticks, and one that adopted them after 10."""
    giving, taking = map(make_world, two_zones)
    run(giving, 30)
    run(taking, 10)
    taking.adopt_players(giving.release_players())
    return giving, taking


def test_players_move_from_one_zone_to_the_other(handed_over):
    giving, taking = handed_over
    assert (giving.entities, giving.players) == (80, 0)
    assert (taking.entities, taking.players) == (96, 16)


def test_the_same_players_adopted_after_the_same_ticks_give_the_same_hashes(two_zones):
    def hashes(adopt_after):
        giving, taking = map(make_world, two_zones)
        run(giving, 30)
        before = run(taking, adopt_after)
        taking.adopt_players(giving.release_players())
        return before + run(taking, 60 - adopt_after, first=adopt_after)

    assert hashes(10) == hashes(10)
    assert hashes(10)[:10] == hashes(20)[:10]
    assert hashes(10)[-1] != hashes(20)[-1]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("ticks", [0, 1, 25])
def test_a_restored_world_has_the_players_of_its_snapshot(two_zones, handed_over, which, ticks):
    undisturbed, first = handed_over[which], (30, 10)[which]
    run(undisturbed, ticks, first)
    restored = make_world(two_zones[which])
    restored.restore(undisturbed.snapshot())
    assert restored.world_hash() == undisturbed.world_hash()
    assert (restored.entities, restored.players) == (undisturbed.entities, undisturbed.players)
    assert run(restored, 40, first + ticks) == run(undisturbed, 40, first + ticks)
