"""Players on their way, in any order in which zones end, take in, repeat messages and die."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from stand_ins import Events

from zonesim.controller.handovers import Handovers
from zonesim.wire.messages import Adopt

ZONES = range(6)
zones = st.sampled_from(ZONES)
some_zones = st.lists(zones, unique=True)


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def handovers(events):
    return Handovers(events.note)


def release(handovers: Handovers, *zones: int) -> None:
    for zone in zones:
        handovers.released(zone, b"of %d" % zone)


def test_players_arrive_before_the_tick_that_was_named_for_their_heir(handovers):
    release(handovers, 3, 4, 5)
    sent = handovers.send_on([3, 4, 5], [0, 1, 2], {0: 60, 1: None, 4: 7})
    assert {adopt.zone: adopt.next_tick for adopt in sent.values()} == {0: 60, 1: 0, 2: 0}


def test_a_repeated_release_and_one_of_an_earlier_life_count_for_nothing(handovers):
    release(handovers, 5)
    handovers.forget(5)
    handovers.released(5, b"players")
    handovers.released(5, b"repeated")
    assert handovers.send_on([5], [0], {}) == {5: Adopt(1, 0, b"players")}
    assert handovers.send_on([5], [0], {}) == {}


def test_players_that_are_not_saved_are_not_waited_for_but_sent_again_after_a_death(
    handovers, events
):
    release(handovers, 5)
    [adopt] = handovers.send_on([5], [0], {}).values()
    for _ in range(2):
        handovers.adopted(1, saved=False)
    assert not handovers.any_awaited
    assert handovers.for_zone(0) == [adopt]
    for _ in range(2):
        handovers.adopted(1)
    assert handovers.for_zone(0) == []
    assert [(kind, zone) for kind, zone, _ in events] == [
        ("players-unsaved", "zone 0"),
        ("players-saved", "zone 0"),
    ]


def test_players_on_their_way_to_a_zone_that_has_ended_go_to_others(handovers, events):
    release(handovers, 3, 4, 5)
    handovers.send_on([3, 4, 5], [0], {})
    handovers.adopted(2, saved=False)  # and then the zone died
    events.clear()

    moved = handovers.redirect(0, [1, 2], {1: 60})

    assert moved == [Adopt(4, 1, b"of 3", 60), Adopt(5, 2, b"of 4"), Adopt(6, 1, b"of 5", 60)]
    assert handovers.for_zone(0) == []
    assert [kind for kind, _, _ in events] == ["players-redirected"] * 3
    handovers.adopted(2)  # a late message of the zone that has ended
    assert handovers.any_awaited


def test_without_another_zone_players_on_their_way_are_lost(handovers, events):
    release(handovers, 3, 4, 5)
    handovers.send_on([3, 4, 5], [0, 1], {})
    assert handovers.redirect(0, [], {}) == handovers.redirect(0, [], {}) == []
    assert [adopt.number for adopt in handovers.for_zone(1)] == [2]
    [(kind, zone, detail)] = events
    assert (kind, zone, detail.split()[0]) == ("players-lost", "zone 0", "2")


class HandoversMachine(RuleBasedStateMachine):
    """Keeps account of where all players are, beside the handovers."""

    def __init__(self) -> None:
        super().__init__()
        self.handovers = Handovers(Events().note)
        self.everyone: list[bytes] = []
        self.waiting: dict[int, bytes] = {}  # by zone that has ended
        self.travelling: dict[int, Adopt] = {}  # by number
        self.arrived: list[bytes] = []
        self.lost: list[bytes] = []
        self.numbers: list[int] = []
        self.unsaved: set[int] = set()

    @rule(zone=zones)
    def zone_ends(self, zone: int) -> None:
        if zone in self.waiting:  # repeated after a death
            self.handovers.released(zone, self.waiting[zone])
            return
        players = b"party %d" % len(self.everyone)
        self.everyone.append(players)
        self.waiting[zone] = players
        self.handovers.released(zone, players)

    @rule(ended=some_zones, heirs=st.lists(zones, unique=True, min_size=1))
    def players_are_sent_on(self, ended: list[int], heirs: list[int]) -> None:
        expected = {zone: self.waiting.pop(zone) for zone in ended if zone in self.waiting}
        sent = self.handovers.send_on(ended, heirs, {})
        assert {zone: adopt.players for zone, adopt in sent.items()} == expected
        for adopt in sent.values():
            assert adopt.zone in heirs
            assert adopt.number not in self.numbers
            self.numbers.append(adopt.number)
            self.travelling[adopt.number] = adopt
        shares = Counter(adopt.zone for adopt in sent.values())
        counts = [shares[heir] for heir in heirs]
        assert max(counts) - min(counts) <= 1

    @rule(data=st.data())
    def players_arrive(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([0, *self.numbers]))
        adopt = self.travelling.pop(number, None)
        if adopt is not None:
            self.arrived.append(adopt.players)
        self.handovers.adopted(number)

    @rule(data=st.data())
    def players_are_in_a_zone_that_cannot_be_saved(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([0, *self.numbers]))
        self.handovers.adopted(number, saved=False)
        if number in self.travelling:
            self.unsaved.add(number)

    @rule(zone=zones, others=st.lists(zones, unique=True))
    def zone_is_given_up(self, zone: int, others: list[int]) -> None:
        heirs = [other for other in others if other != zone]
        before = [adopt for adopt in self.travelling.values() if adopt.zone == zone]
        moved = self.handovers.redirect(zone, heirs, {})
        assert [a.players for a in moved] == [a.players for a in before if heirs]
        for adopt in before:
            del self.travelling[adopt.number]
            self.lost += [] if heirs else [adopt.players]
        for adopt in moved:
            assert adopt.number not in self.numbers
            self.numbers.append(adopt.number)
            self.travelling[adopt.number] = adopt

    @rule(zone=zones)
    def zone_ends_with_its_arrivals(self, zone: int) -> None:
        came = [adopt for adopt in self.travelling.values() if adopt.zone == zone]
        players = b"+".join([b"party %d" % len(self.everyone), *(a.players for a in came)])
        self.handovers.released(zone, players, [0, *(adopt.number for adopt in came)])
        if zone not in self.waiting:  # else repeated after a death
            self.everyone.append(b"party %d" % len(self.everyone))
            self.waiting[zone] = players
            for adopt in came:
                del self.travelling[adopt.number]

    @invariant()
    def all_players_are_in_one_place(self) -> None:
        travelling = [a.players for zone in ZONES for a in self.handovers.for_zone(zone)]
        places = [*self.waiting.values(), *travelling, *self.arrived, *self.lost]
        parties = [party for players in places for party in players.split(b"+")]
        assert sorted(parties) == sorted(self.everyone)

    @invariant()
    def handovers_agree_with_the_account(self) -> None:
        for zone in ZONES:
            assert self.handovers.for_zone(zone) == [
                adopt for adopt in self.travelling.values() if adopt.zone == zone
            ]
        assert self.handovers.any_awaited == bool(self.travelling.keys() - self.unsaved)

    def teardown(self) -> None:
        """All players that are held can go on and arrive."""
        self.players_are_sent_on(list(ZONES), [0])
        for adopt in self.handovers.for_zone(0):
            self.arrived.append(adopt.players)
            self.handovers.adopted(adopt.number)
            del self.travelling[adopt.number]
        self.all_players_are_in_one_place()


TestAnyOrder = HandoversMachine.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25)
