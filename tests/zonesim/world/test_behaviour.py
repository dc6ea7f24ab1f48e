from __future__ import annotations

import types
from math import dist

import pytest

from zonesim.world import behaviour as behaviour_module
from zonesim.world.behaviour import MOB_SPEED, PLAYER_SPEED, Behaviour
from zonesim.world.entities import CELL_UNITS, CHASE, REST, RETURN, ROAM, Entities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.make import make_map
from zonesim.world.map import map_of_rows
from zonesim.world.players import place_players, take_players
from zonesim.world.population import Population
from zonesim.world.search import search_path

PERIOD_S = 0.4
NEVER = 10**9


@types.coroutine
def parked_find_path(graph, start, goal):
    return (yield (graph, start, goal))


class Driver:
    """Runs Tasks without a scheduler: each until it asks for a path, then answers them all."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.entities = behaviour.entities
        self.number = -1

    def tick(self):
        """Run a tick; the (start, goal) of each path that was asked for."""
        self.number += 1
        self.behaviour.begin_tick(self.number)
        asking = []
        for i in range(len(self.entities)):
            thought = self.behaviour.think(i)
            if (asked := self.step(thought, None)) is not None:
                asking.append((thought, asked))
        for thought, asked in asking:
            assert self.step(thought, search_path(*asked)) is None
        return [asked[1:] for _, asked in asking]

    @staticmethod
    def step(thought, value):
        try:
            return thought.send(value)
        except StopIteration:
            return None

    def place(self, i):
        return self.entities.x[i], self.entities.y[i]


@pytest.fixture
def zone(graph_of, monkeypatch):
    monkeypatch.setattr(behaviour_module, "find_path", parked_find_path)

    def make(game_map, mobs, players):
        graph = graph_of(game_map)
        behaviour = Behaviour(Entities(mobs, players), ZoneGraph(graph), graph, PERIOD_S)
        Population(behaviour, ZoneGraph(graph), 11).place_all()
        return Driver(behaviour)

    return make


@pytest.fixture
def duel(zone):
    """A mob at home in (10, 10) and a player that does not move, on an open field."""

    def make(player_cell, aggressive=True):
        driver = zone(map_of_rows(["." * 40] * 40, "m"), mobs=1, players=1)
        entities = driver.entities
        entities.x[0] = entities.y[0] = 10.5 * CELL_UNITS
        entities.home[0] = 10 * 40 + 10
        entities.aggressive[0] = aggressive
        for i in range(2):
            entities.state[i], entities.paths[i], entities.wake[i] = REST, None, NEVER
        move_player(driver, player_cell)
        return driver

    return make


def move_player(driver, cell):
    driver.entities.x[1] = (cell[0] + 0.5) * CELL_UNITS
    driver.entities.y[1] = (cell[1] + 0.5) * CELL_UNITS


def run_until(driver, state, ticks=200):
    for _ in range(ticks):
        if driver.entities.state[0] == state:
            return
        driver.tick()
    pytest.fail(f"state {state} not reached, still {driver.entities.state[0]}")


def test_an_aggressive_mob_chases_a_player_until_it_has_caught_it(duel):
    driver = duel((18, 10))
    run_until(driver, CHASE)
    asked = sum(len(driver.tick()) for _ in range(40))
    assert asked == 0  # the player does not move, so the first path stays valid
    assert dist(driver.place(0), driver.place(1)) <= 5.0


def test_a_peaceful_mob_and_one_out_of_sight_stay_at_rest(duel):
    for driver in (duel((11, 10), aggressive=False), duel((21, 10))):
        assert [driver.tick() for _ in range(40)] == [[]] * 40
        assert driver.entities.state[0] == REST


def test_a_player_that_moves_on_is_followed_by_a_new_path(duel):
    driver = duel((18, 10))
    run_until(driver, CHASE)
    move_player(driver, (18, 12))
    assert [goal for _, goal in driver.tick()] == [12 * 40 + 18]
    driver.entities.x[1] += 2.0  # less than 2.5 units from where the path leads
    assert driver.tick() == []


def test_a_lost_player_is_given_up_and_the_mob_walks_home(duel):
    driver = duel((18, 10))
    run_until(driver, CHASE)
    for _ in range(10):
        driver.tick()
    move_player(driver, (38, 38))
    assert [goal for _, goal in driver.tick()] == [10 * 40 + 10]
    assert driver.entities.state[0] == RETURN
    run_until(driver, REST)
    assert driver.place(0) == (10.5 * CELL_UNITS, 10.5 * CELL_UNITS)
    assert driver.entities.wake[0] > driver.number


def test_a_mob_gives_up_a_chase_far_from_home(duel):
    driver = duel((12, 10))
    run_until(driver, CHASE)
    farthest = 0.0
    for column in range(13, 40):  # a player that keeps just ahead
        move_player(driver, (column, 10))
        for _ in range(2):
            driver.tick()
            farthest = max(farthest, dist(driver.place(0), (52.5, 52.5)))
    assert driver.entities.state[0] == RETURN
    assert 60.0 < farthest <= 75.0 + MOB_SPEED * PERIOD_S


def test_a_rest_ends_with_a_walk_near_home_and_begins_after_it(duel):
    driver = duel((38, 38))
    driver.entities.wake[0] = 5
    asked = [driver.tick() for _ in range(5)]
    assert asked == [[]] * 5
    ((start, goal),) = driver.tick()
    assert start == 10 * 40 + 10
    assert max(abs(goal % 40 - 10), abs(goal // 40 - 10)) <= 8
    assert driver.entities.state[0] == ROAM
    run_until(driver, REST)
    assert driver.entities.wake[0] >= driver.number + 10 / PERIOD_S


def test_a_mob_whose_player_was_handed_over_walks_home(duel):
    driver = duel((18, 10))
    run_until(driver, CHASE)
    take_players(driver.entities, driver.number + 1)
    driver.behaviour.fit()
    assert [goal for _, goal in driver.tick()] == [10 * 40 + 10]
    assert driver.entities.state[0] == RETURN
    run_until(driver, REST)


def test_a_path_that_comes_for_a_player_that_was_handed_over_is_dropped(duel):
    driver = duel((38, 38))
    driver.entities.wake[1] = 0
    driver.behaviour.begin_tick(1)
    thought = driver.behaviour.think(1)
    asked = thought.send(None)
    players = take_players(driver.entities, 2)
    driver.behaviour.fit()
    place_players(driver.entities, driver.behaviour._graph, [*players, *players], 2)
    driver.behaviour.fit()
    before = driver.entities.save()
    with pytest.raises(StopIteration):
        thought.send(search_path(*asked))
    assert driver.entities.save() == before
    assert list(driver.behaviour.waiting) == [0, 0, 0]


def test_an_entity_continues_after_a_failed_path_request(duel):
    driver = duel((38, 38))
    driver.entities.wake[0] = 0
    driver.behaviour.begin_tick(1)
    thought = driver.behaviour.think(0)
    thought.send(None)
    with pytest.raises(OSError, match="lost"):
        thought.throw(OSError("lost"))
    assert list(driver.behaviour.waiting) == [0, 0]
    run_until(driver, REST)


@pytest.mark.parametrize("kind", ["caves", "fields", "towns"])
def test_no_entity_leaves_the_main_region_or_walks_faster_than_allowed(zone, kind):
    driver = zone(make_map(kind, 32, 32, 3), mobs=60, players=6)
    graph = ZoneGraph(driver.behaviour._graph_path)
    seen = set()
    for _ in range(150):
        before = [driver.place(i) for i in range(66)]
        driver.tick()
        seen.update(driver.entities.state)
        for i in range(66):
            x, y = driver.place(i)
            assert graph.in_main(int(x // CELL_UNITS), int(y // CELL_UNITS))
            speed = MOB_SPEED if i < 60 else PLAYER_SPEED
            assert dist(before[i], (x, y)) <= speed * PERIOD_S + 1e-9
    assert seen == {REST, ROAM, CHASE, RETURN}


def test_a_tick_of_a_full_zone_asks_for_few_paths(zone):
    driver = zone(make_map("fields", 64, 64, 3), mobs=330, players=10)
    asked = [len(driver.tick()) for _ in range(150)]
    assert 4 <= sum(asked) / len(asked) <= 15
    assert sum(count > 30 for count in asked) <= 2
    assert sum(asked[:2]) < 60
