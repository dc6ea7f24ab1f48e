from __future__ import annotations

from collections import Counter
from statistics import mean

import pytest

import corororo as cr
from zonesim.workloads import make_world
from zonesim.workloads.base import ZoneSpec
from zonesim.world.behaviour import Behaviour
from zonesim.world.entities import CELL_UNITS, CHASE, REST, RETURN, ROAM, Entities
from zonesim.world.graph import write_graph
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.make import make_map
from zonesim.world.map import map_of_rows
from zonesim.world.path_check import path_cost
from zonesim.world.population import Population

KINDS = ("caves", "fields", "towns")
FIRST = range(4)
LATER = range(4, 24)
ZONES = 18


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The number of path requests and the states of all entities of some zones, by tick."""
    paths = []
    for kind in KINDS:
        paths.append(str(tmp_path_factory.mktemp(kind) / "graph"))
        write_graph(make_map(kind, 64, 64, 5), paths[-1])
    requests, states = Counter(), [Counter() for _ in range(LATER.stop)]
    for zone in range(ZONES):
        world = make_world(ZoneSpec(zone, 9, 0.4, "field", paths[zone % 3]))
        with cr.Scheduler() as scheduler:
            for tick in range(LATER.stop):
                scheduler.schedule(world.tick(tick))
                requests[tick] += scheduler.tick().async_tasks_sent
                states[tick].update(world._entities.state)
    return requests, states


def test_the_first_ticks_ask_for_as_many_paths_as_later_ones(history):
    requests, _ = history
    later = mean(requests[tick] for tick in LATER)
    assert mean(requests[tick] for tick in FIRST) == pytest.approx(later, rel=0.1)
    assert [requests[tick] for tick in FIRST] == pytest.approx([later] * 4, rel=0.2)


def test_as_many_entities_rest_roam_and_chase_in_the_beginning_as_later(history):
    _, states = history
    for state in (REST, ROAM, CHASE):
        assert states[0][state] == pytest.approx(states[-1][state], rel=0.15)
    assert states[0][RETURN]


@pytest.mark.parametrize("kind", KINDS)
def test_paths_in_progress_are_legal_and_lead_on_from_where_an_entity_is(kind, graph_of):
    ground = make_map(kind, 64, 64, 3)
    entities = populated(graph_of(ground))
    walking = [i for i, path in enumerate(entities.paths) if path is not None]
    assert {entities.state[i] for i in walking} == {ROAM, CHASE, RETURN}
    for i in walking:
        path, at = entities.paths[i], entities.at[i]
        assert path_cost(ground, path) is not None
        here = int(entities.y[i] / CELL_UNITS) * 64 + int(entities.x[i] / CELL_UNITS)
        assert here in path[at - 1 : at + 1]
        assert entities.goal[i] == path[-1]


def test_entities_that_have_nowhere_to_go_are_placed_as_well(graph_of):
    entities = populated(graph_of(map_of_rows(["@@@", "@.@", "@@@"], "cell")), mobs=40)
    assert set(zip(entities.x, entities.y, strict=True)) == {(7.5, 7.5)}


def populated(graph, mobs=330, players=10):
    entities, view = Entities(mobs, players), ZoneGraph(graph)
    Population(Behaviour(entities, view, graph, 0.4), view, 11).place_all()
    return entities
