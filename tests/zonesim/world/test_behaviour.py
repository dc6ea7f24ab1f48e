from __future__ import annotations

import random
import types
from math import dist

import pytest

from zonesim.world import behaviour as behaviour_module
from zonesim.world.behaviour import MOB_SPEED, PLAYER_SPEED, Behaviour
from zonesim.world.determinism import hash_state
from zonesim.world.entities import CELL_UNITS, CHASE, REST, RETURN, ROAM, TRANSITIONS, Entities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.make import make_map
from zonesim.world.map import map_of_rows
from zonesim.world.players import place_players, take_players
from zonesim.world.search import search_path

PERIOD_S = 0.4
NEVER = 10**9


@types.coroutine
def parked_find_path(graph, start, goal):
    return (yield (graph, start, goal))


class Hand:
    """Runs Tasks by hand: each until it asks for a path, then all answers in a chosen order."""

    def __init__(self, behaviour, shuffle=None):
        self.behaviour = behaviour
        self.entities = behaviour.entities
        self.shuffle = shuffle
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
        if self.shuffle:
            self.shuffle.shuffle(asking)
        for thought, asked in asking:
            assert self.step(thought, search_path(*asked)) is None
        return [asked[1:] for _, asked in asking]

    @staticmethod
    def step(thought, value):
        try:
            return thought.send(value)
        except StopIteration:
            return None

    def hash(self):
        return hash_state(self.entities.changing())

    def place(self, i):
        return self.entities.x[i], self.entities.y[i]


@pytest.fixture
def zone(graph_of, monkeypatch):
    monkeypatch.setattr(behaviour_module, "find_path", parked_find_path)

    def make(game_map, mobs, players, shuffle=None):
        graph = graph_of(game_map)
        behaviour = Behaviour(Entities(mobs, players), ZoneGraph(graph), graph, PERIOD_S)
        behaviour.populate(11)
        return Hand(behaviour, shuffle)

    return make


@pytest.fixture
def duel(zone):
    """A mob at home in (10, 10) and a player that stands still, on an open field."""

    def make(player_cell, aggressive=True):
        hand = zone(map_of_rows(["." * 40] * 40, "m"), mobs=1, players=1)
        entities = hand.entities
        entities.x[0] = entities.y[0] = 10.5 * CELL_UNITS
        entities.home[0] = 10 * 40 + 10
        entities.aggressive[0] = aggressive
        entities.wake[0] = entities.wake[1] = NEVER
        move_player(hand, player_cell)
        return hand

    return make


def move_player(hand, cell):
    hand.entities.x[1] = (cell[0] + 0.5) * CELL_UNITS
    hand.entities.y[1] = (cell[1] + 0.5) * CELL_UNITS


def run_until(hand, state, ticks=200):
    for _ in range(ticks):
        if hand.entities.state[0] == state:
            return
        hand.tick()
    pytest.fail(f"state {state} not reached, still {hand.entities.state[0]}")


def test_an_aggressive_mob_chases_a_player_until_it_has_caught_it(duel):
    hand = duel((18, 10))
    run_until(hand, CHASE)
    asked = sum(len(hand.tick()) for _ in range(40))
    assert asked == 0  # the player stands still: the first path is good to its end
    assert dist(hand.place(0), hand.place(1)) <= 5.0


def test_a_peaceful_mob_and_one_out_of_sight_stay_at_rest(duel):
    for hand in (duel((11, 10), aggressive=False), duel((21, 10))):
        assert [hand.tick() for _ in range(40)] == [[]] * 40
        assert hand.entities.state[0] == REST


def test_a_player_that_moves_on_is_followed_by_a_new_path(duel):
    hand = duel((18, 10))
    run_until(hand, CHASE)
    move_player(hand, (18, 12))
    assert [goal for _, goal in hand.tick()] == [12 * 40 + 18]
    hand.entities.x[1] += 2.0  # less than 2.5 units from where the path leads
    assert hand.tick() == []


def test_a_lost_player_is_given_up_and_the_mob_walks_home(duel):
    hand = duel((18, 10))
    run_until(hand, CHASE)
    for _ in range(10):
        hand.tick()
    move_player(hand, (38, 38))
    assert [goal for _, goal in hand.tick()] == [10 * 40 + 10]
    assert hand.entities.state[0] == RETURN
    run_until(hand, REST)
    assert hand.place(0) == (10.5 * CELL_UNITS, 10.5 * CELL_UNITS)
    assert hand.entities.wake[0] > hand.number


def test_a_mob_is_not_led_far_from_home(duel):
    hand = duel((12, 10))
    run_until(hand, CHASE)
    farthest = 0.0
    for column in range(13, 40):  # a player that keeps just ahead
        move_player(hand, (column, 10))
        for _ in range(2):
            hand.tick()
            farthest = max(farthest, dist(hand.place(0), (52.5, 52.5)))
    assert hand.entities.state[0] == RETURN
    assert 60.0 < farthest <= 75.0 + MOB_SPEED * PERIOD_S


def test_a_rest_ends_with_a_walk_near_home_and_begins_after_it(duel):
    hand = duel((38, 38))
    hand.entities.wake[0] = 5
    asked = [hand.tick() for _ in range(5)]
    assert asked == [[]] * 5
    ((start, goal),) = hand.tick()
    assert start == 10 * 40 + 10
    assert max(abs(goal % 40 - 10), abs(goal // 40 - 10)) <= 8
    assert hand.entities.state[0] == ROAM
    run_until(hand, REST)
    assert hand.entities.wake[0] >= hand.number + 10 / PERIOD_S


def test_a_mob_that_lost_its_path_on_the_way_home_asks_again(duel):
    hand = duel((38, 38))
    hand.entities.state[0] = RETURN
    hand.entities.x[0] += 20.0
    assert hand.tick() == [(10 * 40 + 14, 10 * 40 + 10)]
    run_until(hand, REST)


def test_a_mob_that_lost_its_path_in_a_chase_asks_again(duel):
    hand = duel((18, 10))
    run_until(hand, CHASE)
    hand.entities.paths[0] = None
    assert [goal for _, goal in hand.tick()] == [10 * 40 + 18]
    assert hand.tick() == []


def test_a_mob_whose_player_was_handed_over_walks_home(duel):
    hand = duel((18, 10))
    run_until(hand, CHASE)
    take_players(hand.entities, hand.number + 1)
    hand.behaviour.fit()
    assert [goal for _, goal in hand.tick()] == [10 * 40 + 10]
    assert hand.entities.state[0] == RETURN
    run_until(hand, REST)


def test_a_path_that_comes_for_a_player_that_was_handed_over_is_dropped(duel):
    hand = duel((38, 38))
    hand.entities.wake[1] = 0
    hand.behaviour.begin_tick(1)
    thought = hand.behaviour.think(1)
    asked = thought.send(None)
    players = take_players(hand.entities, 2)
    hand.behaviour.fit()
    place_players(hand.entities, hand.behaviour._graph, [*players, *players], 2)
    hand.behaviour.fit()
    before = hand.entities.save()
    with pytest.raises(StopIteration):
        thought.send(search_path(*asked))
    assert hand.entities.save() == before
    assert list(hand.behaviour.waiting) == [0, 0, 0]


def test_an_entity_is_marked_as_waiting_while_its_path_is_found(duel):
    hand = duel((38, 38))
    hand.entities.wake[0] = 0
    hand.behaviour.begin_tick(1)
    thought = hand.behaviour.think(0)
    asked = thought.send(None)
    assert list(hand.behaviour.waiting) == [1, 0]
    with pytest.raises(StopIteration):
        thought.send(search_path(*asked))
    assert list(hand.behaviour.waiting) == [0, 0]


def test_a_path_that_fails_leaves_the_entity_able_to_go_on(duel):
    hand = duel((38, 38))
    hand.entities.wake[0] = 0
    hand.behaviour.begin_tick(1)
    thought = hand.behaviour.think(0)
    thought.send(None)
    with pytest.raises(OSError, match="lost"):
        thought.throw(OSError("lost"))
    assert list(hand.behaviour.waiting) == [0, 0]
    run_until(hand, REST)


@pytest.mark.parametrize("kind", ["caves", "fields", "towns"])
def test_nobody_leaves_the_main_region_or_walks_faster_than_allowed(zone, kind):
    hand = zone(make_map(kind, 32, 32, 3), mobs=60, players=6)
    graph = ZoneGraph(hand.behaviour._graph_path)
    seen = set()
    for _ in range(150):
        before = [hand.place(i) for i in range(66)]
        hand.tick()
        seen.update(hand.entities.state)
        for i in range(66):
            x, y = hand.place(i)
            assert graph.in_main(int(x // CELL_UNITS), int(y // CELL_UNITS))
            speed = MOB_SPEED if i < 60 else PLAYER_SPEED
            assert dist(before[i], (x, y)) <= speed * PERIOD_S + 1e-9
    assert seen == set(TRANSITIONS)


def test_the_order_of_answers_does_not_matter(zone):
    made = make_map("caves", 32, 32, 3)
    in_order = zone(made, mobs=60, players=6)
    shuffled = zone(made, mobs=60, players=6, shuffle=random.Random(1))
    most = 0
    for _ in range(100):
        most = max(most, len(in_order.tick()))
        shuffled.tick()
        assert shuffled.hash() == in_order.hash()
    assert most > 2


def test_a_tick_of_a_full_zone_asks_for_few_paths(zone):
    hand = zone(make_map("fields", 64, 64, 3), mobs=330, players=10)
    asked = [len(hand.tick()) for _ in range(150)]
    assert 4 <= sum(asked) / len(asked) <= 15
    assert sum(count > 30 for count in asked) <= 2
    assert sum(asked[:2]) < 60


def test_a_transition_that_is_not_in_the_table_is_refused(duel):
    hand = duel((38, 38))
    with pytest.raises(RuntimeError, match="may not go from state 0 to 3"):
        hand.behaviour._enter(0, RETURN)
