from __future__ import annotations

import pytest

from zonesim.world.entities import CELL_UNITS, CHASE, REST, ROAM, Entities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.grid import NO_PLAYER
from zonesim.world.make import make_map
from zonesim.world.players import Player, change_guests, place_players, take_players


@pytest.fixture
def graph(graph_of):
    return ZoneGraph(graph_of(make_map("caves", 32, 32, 3)))


def places(entities):
    return list(zip(entities.x, entities.y, entities.draws, strict=True))


def test_players_keep_their_random_stream_and_the_rest_of_their_pause():
    entities = Entities(1, 3)
    for i, (state, wake) in enumerate([(REST, 25), (REST, 5), (ROAM, 25)], start=1):
        entities.state[i], entities.wake[i], entities.draws[i] = state, wake, 100 + i
    assert take_players(entities, 20) == [Player(101, 5), Player(102, 0), Player(103, 0)]
    assert (len(entities), entities.players) == (1, 0)


def test_placed_players_come_last_at_rest_and_in_the_main_region(graph):
    entities = Entities(2, 1)
    place_players(entities, graph, [Player(7, 0), Player(8, 12)], 40)
    assert (len(entities), entities.players) == (5, 3)
    assert list(entities.state[3:]) == [REST, REST]
    assert list(entities.wake[3:]) == [40, 52]
    assert entities.draws[3] != 7  # the place has used up one draw
    for i in (3, 4):
        x, y = (int(at // CELL_UNITS) for at in (entities.x[i], entities.y[i]))
        assert graph.in_main(x, y)


def test_seed_tick_and_number_determine_a_guest(graph):
    def come(seed, tick, *counts):
        entities = Entities(0, 0)
        for now, wanted in zip((0, *counts), counts, strict=False):
            change_guests(entities, graph, seed, tick, now, wanted)
        assert list(entities.wake) == [tick] * len(entities)
        return places(entities)

    assert come(7, 40, 5) == come(7, 40, 5) == come(7, 40, 2, 5)
    assert len({*come(7, 40, 5), *come(8, 40, 5), *come(7, 41, 5)}) == 15


def test_the_last_guests_leave_and_mobs_that_chase_them_lose_them(graph):
    entities = Entities(3, 2)
    change_guests(entities, graph, 7, 0, 0, 2)
    stay = places(entities)[:6]
    for mob, (state, target) in enumerate([(CHASE, 2), (CHASE, 3), (REST, 3)]):
        entities.state[mob], entities.target[mob] = state, target
    change_guests(entities, graph, 7, 9, 2, 1)
    assert places(entities) == stay
    assert list(entities.target[:3]) == [2, NO_PLAYER, 3]
