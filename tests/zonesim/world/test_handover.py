from __future__ import annotations

import pytest

from zonesim.world.entities import CELL_UNITS, CHASE, REST, ROAM, Entities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.grid import NOBODY
from zonesim.world.make import make_map
from zonesim.world.players import Player, place_players, take_players


@pytest.fixture
def graph(graph_of):
    return ZoneGraph(graph_of(make_map("caves", 32, 32, 3)))


def test_players_keep_their_random_stream_and_what_is_left_of_their_rest():
    entities = Entities(1, 3)
    for i, (state, wake) in enumerate([(REST, 25), (REST, 5), (ROAM, 25)], start=1):
        entities.state[i], entities.wake[i], entities.draws[i] = state, wake, 100 + i
    assert take_players(entities, 20) == [Player(101, 5), Player(102, 0), Player(103, 0)]
    assert (len(entities), entities.players) == (1, 0)


def test_whoever_chases_a_player_that_goes_has_lost_it():
    entities = Entities(2, 2)
    entities.state[0], entities.target[0], entities.target[1] = CHASE, 1, 1
    take_players(entities, 0)
    assert list(entities.target) == [NOBODY, 1]


def test_players_come_after_those_who_are_there_at_rest_and_within_reach(graph):
    entities = Entities(2, 1)
    place_players(entities, graph, [Player(7, 0), Player(8, 12)], 40)
    assert (len(entities), entities.players) == (5, 3)
    assert list(entities.state[3:]) == [REST, REST]
    assert list(entities.wake[3:]) == [40, 52]
    for i in (3, 4):
        x, y = (int(at // CELL_UNITS) for at in (entities.x[i], entities.y[i]))
        assert graph.in_main(x, y)


def test_the_same_players_come_to_the_same_places_and_others_to_others(graph):
    def places(*draws):
        entities = Entities(0, 0)
        place_players(entities, graph, [Player(state, 0) for state in draws], 0)
        return list(zip(entities.x, entities.y, strict=True))

    assert places(1, 2, 3) == places(1, 2, 3)
    assert len(set(places(*range(20)))) > 10


def test_a_player_does_not_draw_again_what_has_drawn_its_place(graph):
    entities = Entities(0, 0)
    place_players(entities, graph, [Player(7, 0)], 0)
    assert entities.draws[0] != 7
