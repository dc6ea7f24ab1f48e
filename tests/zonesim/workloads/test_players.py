"""Players of the field who go from one zone to another."""

from __future__ import annotations

import msgspec
import pytest

import corororo as cr
from zonesim.workloads import make_world
from zonesim.workloads.base import ZoneSpec
from zonesim.world.entities import CHASE
from zonesim.world.graph import write_graph
from zonesim.world.make import make_map


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    """Two zones on maps of their own."""
    folder = tmp_path_factory.mktemp("graphs")
    made = []
    for zone, kind in enumerate(("caves", "fields")):
        path = folder / f"{kind}.graph"
        write_graph(make_map(kind, 32, 32, 5), path)
        spec = ZoneSpec(zone=zone, seed=9, period_s=0.4, workload="field", graph=str(path))
        made.append(msgspec.structs.replace(spec, mobs=80, players=8))
    return made


def run(world, ticks, first=0):
    """Run ticks; the hash after each."""
    hashes = []
    with cr.Scheduler() as scheduler:
        for number in range(first, first + ticks):
            assert scheduler.run(world.tick(number)) == world.entities
            hashes.append(world.world_hash())
    return hashes


@pytest.fixture
def handed_over(specs):
    """A zone that gave its players away after 30 ticks, and one that got them after 10."""
    giving, taking = map(make_world, specs)
    run(giving, 30)
    run(taking, 10)
    taking.adopt_players(giving.release_players())
    return giving, taking


def test_the_one_zone_is_left_without_players_and_the_other_has_them_all(handed_over):
    giving, taking = handed_over
    assert (giving.entities, giving.players) == (80, 0)
    assert (taking.entities, taking.players) == (96, 16)


def test_both_zones_go_on(handed_over):
    giving, taking = handed_over
    assert len(set(run(giving, 40, first=30))) > 1
    assert len(set(run(taking, 40, first=10))) == 40


def test_mobs_chase_adopted_players_as_any_other(specs):
    giving, taking = make_world(specs[0]), make_world(msgspec.structs.replace(specs[1], players=0))
    run(taking, 100)
    assert CHASE not in taking._entities.state
    taking.adopt_players(giving.release_players())
    run(taking, 100, first=100)
    assert CHASE in taking._entities.state


def test_the_same_players_adopted_after_the_same_ticks_give_the_same_hashes(specs):
    def hashes(adopt_after):
        giving, taking = map(make_world, specs)
        run(giving, 30)
        before = run(taking, adopt_after)
        taking.adopt_players(giving.release_players())
        return before + run(taking, 60 - adopt_after, first=adopt_after)

    assert hashes(10) == hashes(10)
    assert hashes(10)[:10] == hashes(20)[:10]
    assert hashes(10)[-1] != hashes(20)[-1]


def test_players_are_adopted_from_several_zones_and_given_away_again(specs):
    giving, taking = map(make_world, specs)
    other = make_world(msgspec.structs.replace(specs[0], zone=7, players=3))
    for world in (giving, other):
        taking.adopt_players(world.release_players())
    run(taking, 20)
    giving.adopt_players(taking.release_players())
    assert (giving.players, taking.players, other.players) == (19, 0, 0)
    run(taking, 20, first=20)
    assert len(set(run(giving, 20))) == 20


def test_a_zone_may_be_given_nobody(specs):
    world, undisturbed = make_world(specs[0]), make_world(specs[0])
    nobody = make_world(msgspec.structs.replace(specs[1], players=0)).release_players()
    world.adopt_players(nobody)
    assert run(world, 5) == run(undisturbed, 5)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("ticks", [0, 1, 25])
def test_a_restored_world_has_the_players_of_its_snapshot(specs, handed_over, which, ticks):
    undisturbed, first = handed_over[which], (30, 10)[which]
    run(undisturbed, ticks, first)
    restored = make_world(specs[which])
    restored.restore(undisturbed.snapshot())
    assert restored.world_hash() == undisturbed.world_hash()
    assert (restored.entities, restored.players) == (undisturbed.entities, undisturbed.players)
    assert run(restored, 40, first + ticks) == run(undisturbed, 40, first + ticks)


def test_a_restored_world_adopts_and_releases_as_the_one_it_was_saved_from(specs):
    players = make_world(specs[0]).release_players()
    undisturbed, restored = make_world(specs[1]), make_world(specs[1])
    run(undisturbed, 30)
    restored.restore(undisturbed.snapshot())
    for world in (undisturbed, restored):
        world.adopt_players(players)
    assert run(restored, 10, first=30) == run(undisturbed, 10, first=30)
    assert restored.release_players() == undisturbed.release_players()
