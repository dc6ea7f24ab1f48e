from __future__ import annotations

from collections.abc import Mapping

from zonesim.controller.victims import Victim, find_victim, is_there, named
from zonesim.scenario.faults import KillWorker, KillZone, StallWorker, StallZone
from zonesim.world.determinism import Random


class Fleet:
    """Processes that nobody has started."""

    def __init__(self, workers: Mapping[int, int], zones: Mapping[int, int]) -> None:
        self._workers, self._zones = workers, zones

    def workers(self) -> Mapping[int, int]:
        return self._workers

    def zones(self) -> Mapping[int, int]:
        return self._zones


WORKERS = {n: 100 + n for n in range(1, 13)}
ZONES = {zone: 200 + zone for zone in range(12)}
FLEET = Fleet(WORKERS, ZONES)


def drawn(fault, fleet, draws=20, seed=1):
    random = Random(seed)
    return [find_victim(fault, fleet, random) for _ in range(draws)]


def test_the_one_that_a_fault_names_is_struck():
    assert drawn(KillWorker(at_s=1, worker=3), FLEET, 1) == [Victim(103, worker=3)]
    assert drawn(StallZone(at_s=1, zone=0), FLEET, 1) == [Victim(200, zone=0)]
    assert named(StallWorker(at_s=1, worker=12)) == 12
    assert named(KillZone(at_s=1)) is None


def test_a_fault_that_names_nobody_strikes_any_in_the_end():
    assert {victim.pid for victim in drawn(KillWorker(at_s=1), FLEET, 200)} == {*WORKERS.values()}
    assert {victim.pid for victim in drawn(KillZone(at_s=1), FLEET, 200)} == {*ZONES.values()}


def test_the_same_draw_strikes_the_same_one_in_whatever_order_they_are_told_of():
    shuffled = Fleet(dict(sorted(WORKERS.items())), dict(reversed(ZONES.items())))
    for fault in (KillWorker(at_s=1), StallZone(at_s=1)):
        assert drawn(fault, FLEET) == drawn(fault, shuffled)
        assert drawn(fault, FLEET) != drawn(fault, FLEET, seed=2)


def test_nobody_is_struck_where_nobody_is_or_another_one_is_named():
    assert drawn(KillWorker(at_s=1), Fleet({}, ZONES), 2) == [None, None]
    assert drawn(KillZone(at_s=1, zone=12), FLEET, 1) == [None]


def test_who_is_spared_is_passed_over():
    fleet, random = Fleet({}, {0: 7, 1: 7, 2: 8}), Random(1)
    fault = StallZone(at_s=1)
    assert {find_victim(fault, fleet, random, {7}) for _ in range(9)} == {Victim(8, zone=2)}
    assert find_victim(StallZone(at_s=1, zone=0), fleet, random, {7}) is None


def test_zones_that_share_the_process_are_counted():
    fleet = Fleet({}, {0: 7, 1: 7, 2: 7, 3: 8})
    assert drawn(KillZone(at_s=1, zone=1), fleet, 1) == [Victim(7, zone=1, others=2)]


def test_a_victim_that_was_replaced_is_not_there_any_more():
    fault = StallWorker(at_s=1)
    assert is_there(fault, FLEET, Victim(103, worker=3))
    assert not is_there(fault, FLEET, Victim(99, worker=3))
    assert not is_there(fault, FLEET, Victim(103, worker=13))
    assert not is_there(StallZone(at_s=1), FLEET, Victim(103, worker=3))
