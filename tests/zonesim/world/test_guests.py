from __future__ import annotations

import pytest

from zonesim.world.entities import CHASE, REST, Entities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.grid import NOBODY
from zonesim.world.make import make_map
from zonesim.world.players import change_guests


@pytest.fixture
def graph(graph_of):
    return ZoneGraph(graph_of(make_map("caves", 32, 32, 3)))


def places(entities):
    return list(zip(entities.x, entities.y, entities.draws, strict=True))


def test_guests_come_after_the_players_and_set_out_at_once(graph):
    entities = Entities(2, 1)
    change_guests(entities, graph, seed=7, tick=40, now=0, wanted=3)
    assert entities.players == 4
    assert list(entities.state[3:]) == [REST] * 3
    assert list(entities.wake[3:]) == [40] * 3
    assert len(set(places(entities)[3:])) == 3


def test_seed_tick_and_number_decide_who_a_guest_is(graph):
    def come(seed, tick, *counts):
        entities = Entities(0, 0)
        for now, wanted in zip((0, *counts), counts, strict=False):
            change_guests(entities, graph, seed, tick, now, wanted)
        return places(entities)

    assert come(7, 40, 5) == come(7, 40, 5) == come(7, 40, 2, 5)
    assert len({*come(7, 40, 5), *come(8, 40, 5), *come(7, 41, 5)}) == 15


def test_the_last_ones_leave_and_who_chases_one_of_them_has_lost_it(graph):
    entities = Entities(3, 2)
    change_guests(entities, graph, 7, 0, 0, 2)
    stay = places(entities)[:6]
    for mob, (state, target) in enumerate([(CHASE, 2), (CHASE, 3), (REST, 3)]):
        entities.state[mob], entities.target[mob] = state, target
    change_guests(entities, graph, 7, 9, 2, 1)
    assert places(entities) == stay
    assert list(entities.target[:3]) == [2, NOBODY, 3]
