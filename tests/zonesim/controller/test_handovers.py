"""Players on their way, in any order in which zones end, take in, repeat themselves and die."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from zonesim.controller.handovers import Handovers
from zonesim.wire.messages import Adopt

ZONES = range(6)
zones = st.sampled_from(ZONES)
some_zones = st.lists(zones, unique=True)


def test_players_of_zones_that_end_go_to_the_heirs_in_turn():
    handovers = Handovers()
    for zone in (5, 3, 4):
        handovers.released(zone, b"of %d" % zone)

    sent = handovers.send_on([5, 3, 4], [1, 0])

    assert sent == {3: Adopt(1, 1, b"of 3"), 4: Adopt(2, 0, b"of 4"), 5: Adopt(3, 1, b"of 5")}
    assert handovers.for_zone(1) == [sent[3], sent[5]]
    assert handovers.for_zone(0) == [sent[4]]


def test_players_come_before_the_tick_that_was_named_for_their_heir_or_before_any():
    handovers = Handovers()
    for zone in (3, 4, 5):
        handovers.released(zone, b"players")
    sent = handovers.send_on([3, 4, 5], [0, 1, 2], {0: 60, 1: None, 4: 7})
    assert {adopt.zone: adopt.next_tick for adopt in sent.values()} == {0: 60, 1: 0, 2: 0}
    assert handovers.for_zone(0) == [Adopt(1, 0, b"players", 60)]


def test_a_zone_without_players_is_done_with_and_nobody_is_sent():
    handovers = Handovers()
    handovers.released(5, b"")
    assert handovers.send_on([5], [0]) == {}


def test_a_zone_without_players_takes_no_heirs_turn():
    handovers = Handovers()
    for zone, players in {3: b"of 3", 4: b"", 5: b"of 5", 7: b"of 7"}.items():
        handovers.released(zone, players)
    sent = handovers.send_on([3, 4, 5, 6, 7], [0, 1])  # and 6 has released nobody yet
    assert {zone: adopt.zone for zone, adopt in sent.items()} == {3: 0, 5: 1, 7: 0}


def test_what_a_zone_that_is_made_anew_released_before_is_forgotten():
    handovers = Handovers()
    handovers.released(5, b"said too late")
    handovers.forget(5)
    handovers.forget(5)
    assert handovers.send_on([5], [0]) == {}


def test_a_zone_that_has_released_nobody_yet_sends_nobody():
    handovers = Handovers()
    assert handovers.send_on([5], [0]) == {}
    handovers.released(5, b"later")
    assert handovers.send_on([5], [0]) == {5: Adopt(1, 0, b"later")}


def test_a_zone_that_ends_says_the_same_twice_and_only_the_first_counts():
    handovers = Handovers()
    handovers.released(5, b"players")
    handovers.released(5, b"once more")
    assert handovers.send_on([5], [0]) == {5: Adopt(1, 0, b"players")}
    assert handovers.send_on([5], [0]) == {}


def test_a_zone_that_comes_back_and_ends_again_sends_its_new_players_under_a_new_number():
    handovers = Handovers()
    handovers.released(5, b"first")
    handovers.send_on([5], [0])
    handovers.released(5, b"second")
    assert handovers.send_on([5], [0]) == {5: Adopt(2, 0, b"second")}
    assert [adopt.players for adopt in handovers.for_zone(0)] == [b"first", b"second"]


def test_what_has_arrived_is_under_way_no_more_however_often_that_is_said():
    handovers = Handovers()
    for zone in (4, 5):
        handovers.released(zone, b"players")
    handovers.send_on([4, 5], [0])

    handovers.adopted(1)
    handovers.adopted(1)
    handovers.adopted(99)

    assert [adopt.number for adopt in handovers.for_zone(0)] == [2]
    assert handovers.any_awaited
    handovers.adopted(2)
    assert not handovers.any_awaited


def test_a_zone_that_is_given_up_takes_only_its_own_arrivals_with_it():
    handovers = Handovers()
    for zone in (3, 4, 5):
        handovers.released(zone, b"players")
    handovers.send_on([3, 4, 5], [0, 1])

    assert handovers.lose(0) == 2
    assert handovers.lose(0) == 0
    assert handovers.for_zone(0) == []
    assert [adopt.number for adopt in handovers.for_zone(1)] == [2]
    assert handovers.any_awaited


def test_what_is_lost_does_not_arrive_any_more():
    handovers = Handovers()
    handovers.released(5, b"players")
    handovers.send_on([5], [0])
    handovers.lose(0)
    handovers.adopted(1)
    assert not handovers.any_awaited
    assert handovers.lose(0) == 0


def test_what_is_in_a_zone_and_not_saved_is_waited_for_no_more_and_said_again_after_a_death():
    handovers = Handovers()
    handovers.released(5, b"players")
    [adopt] = handovers.send_on([5], [0]).values()

    assert handovers.adopted(1, saved=False) == adopt
    assert handovers.adopted(1, saved=False) is None  # that is no news
    assert not handovers.any_awaited
    assert handovers.for_zone(0) == [adopt]

    assert handovers.adopted(1) == adopt
    assert handovers.adopted(1) is None
    assert handovers.for_zone(0) == []


def test_what_is_saved_at_once_is_no_news():
    handovers = Handovers()
    handovers.released(5, b"players")
    handovers.send_on([5], [0])
    assert handovers.adopted(1) is None
    assert handovers.adopted(1, saved=False) is None
    assert handovers.for_zone(0) == []


def test_arrivals_that_an_ended_zone_gave_away_with_the_others_are_not_sent_once_more():
    handovers = Handovers()
    for zone in (4, 5):
        handovers.released(zone, b"of %d" % zone)
    handovers.send_on([4, 5], [0])
    handovers.adopted(1, saved=False)

    handovers.released(0, b"all but those who came last", [1])

    assert [adopt.number for adopt in handovers.for_zone(0)] == [2]
    handovers.released(0, b"said again, after a death", [2])
    assert [adopt.number for adopt in handovers.for_zone(0)] == [2]


def test_who_is_on_the_way_to_a_zone_that_takes_in_nobody_any_more_goes_to_others():
    handovers = Handovers()
    for zone in (3, 4, 5):
        handovers.released(zone, b"of %d" % zone)
    handovers.send_on([3, 4, 5], [0])
    handovers.adopted(2, saved=False)  # and then it died

    moved = handovers.send_elsewhere(0, [1, 2], {1: 60})

    assert moved == [Adopt(4, 1, b"of 3", 60), Adopt(5, 2, b"of 4"), Adopt(6, 1, b"of 5", 60)]
    assert handovers.for_zone(0) == []
    assert handovers.adopted(2) is None  # said by a zone that is no more
    assert handovers.any_awaited
    assert handovers.send_elsewhere(1, []) == []
    assert handovers.lose(1) == 2


class HandoversMachine(RuleBasedStateMachine):
    """Keeps a ledger of where everybody is, beside what is said of them."""

    def __init__(self) -> None:
        super().__init__()
        self.handovers = Handovers()
        self.everybody: list[bytes] = []
        self.waiting: dict[int, bytes] = {}  # by zone that has ended
        self.travelling: dict[int, Adopt] = {}  # by number
        self.arrived: list[bytes] = []
        self.lost: list[bytes] = []
        self.numbers: list[int] = []
        self.unsaved: set[int] = set()

    @rule(zone=zones)
    def zone_ends(self, zone: int) -> None:
        if zone in self.waiting:  # it says so again, after a death
            self.handovers.released(zone, self.waiting[zone])
            return
        players = b"party %d" % len(self.everybody)
        self.everybody.append(players)
        self.waiting[zone] = players
        self.handovers.released(zone, players)

    @rule(ended=some_zones, heirs=st.lists(zones, unique=True, min_size=1))
    def players_are_sent_on(self, ended: list[int], heirs: list[int]) -> None:
        expected = {zone: self.waiting.pop(zone) for zone in ended if zone in self.waiting}
        sent = self.handovers.send_on(ended, heirs)
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
    def zone_takes_in_nobody_any_more(self, zone: int, others: list[int]) -> None:
        heirs = [other for other in others if other != zone]
        before = [adopt for adopt in self.travelling.values() if adopt.zone == zone and heirs]
        moved = self.handovers.send_elsewhere(zone, heirs)
        assert [adopt.players for adopt in moved] == [adopt.players for adopt in before]
        for old, new in zip(before, moved, strict=True):
            assert new.number not in self.numbers
            self.numbers.append(new.number)
            del self.travelling[old.number]
            self.travelling[new.number] = new

    @rule(zone=zones)
    def zone_ends_with_those_who_came(self, zone: int) -> None:
        came = [adopt for adopt in self.travelling.values() if adopt.zone == zone]
        players = b"+".join([b"party %d" % len(self.everybody), *(a.players for a in came)])
        self.handovers.released(zone, players, [0, *(adopt.number for adopt in came)])
        if zone not in self.waiting:  # else it had said so before, and died
            self.everybody.append(b"party %d" % len(self.everybody))
            self.waiting[zone] = players
            for adopt in came:
                del self.travelling[adopt.number]

    @rule(zone=zones)
    def zone_is_given_up(self, zone: int) -> None:
        gone = [adopt for adopt in self.travelling.values() if adopt.zone == zone]
        assert self.handovers.lose(zone) == len(gone)
        for adopt in gone:
            self.lost.append(self.travelling.pop(adopt.number).players)

    @invariant()
    def everybody_is_in_one_place(self) -> None:
        travelling = [a.players for zone in ZONES for a in self.handovers.for_zone(zone)]
        places = [*self.waiting.values(), *travelling, *self.arrived, *self.lost]
        parties = [party for players in places for party in players.split(b"+")]
        assert sorted(parties) == sorted(self.everybody)

    @invariant()
    def what_is_said_of_each_is_so(self) -> None:
        for zone in ZONES:
            assert (zone in self.handovers._released) == (zone in self.waiting)
            assert self.handovers.for_zone(zone) == [
                adopt for adopt in self.travelling.values() if adopt.zone == zone
            ]
        assert self.handovers.any_awaited == bool(self.travelling.keys() - self.unsaved)

    def teardown(self) -> None:
        """Whoever is still held goes on, and arrives."""
        self.players_are_sent_on(list(ZONES), [0])
        for adopt in self.handovers.for_zone(0):
            self.arrived.append(adopt.players)
            self.handovers.adopted(adopt.number)
            del self.travelling[adopt.number]
        self.everybody_is_in_one_place()


TestAnyOrder = HandoversMachine.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25)
