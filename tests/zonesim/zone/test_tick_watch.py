"""Zones that are at one tick for too long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zonesim.zone.tick_watch import LOOKS, TickWatch


def zone(next_tick: int = 5, *, ticking: bool = True) -> SimpleNamespace:
    # By identity, as zones are: a namespace has no hash.
    return type("StandIn", (), {"progress": (next_tick, 0), "ticking": ticking})()


def looks_until_hung(watch: TickWatch, *zones: SimpleNamespace) -> int:
    for look in range(1, 10 * LOOKS):
        if watch.look(zones):
            return look
    pytest.fail("nobody hangs")


def test_a_zone_hangs_that_gets_no_further_for_as_long_as_it_may():
    watch, well = TickWatch(20.0), zone(ticking=False)
    hung = zone()
    assert looks_until_hung(watch, well, hung) == LOOKS + 1
    assert watch.look([well, hung]) == [hung]
    assert watch.gap_s * LOOKS == 20.0


@pytest.mark.parametrize("what", [0, 1], ids=["another tick", "an answer in the same one"])
def test_a_zone_of_which_anything_comes_is_well(what):
    watch, busy = TickWatch(20.0), zone()
    for look in range(5 * LOOKS):
        assert watch.look([busy]) == []
        if look % LOOKS == 0:
            numbers = list(busy.progress)
            numbers[what] += 1
            busy.progress = tuple(numbers)


def test_the_time_between_ticks_does_not_count():
    watch, slow = TickWatch(20.0), zone()
    for _ in range(LOOKS):
        watch.look([slow])
    slow.ticking = False
    assert watch.look([slow]) == []
    slow.ticking = True
    assert looks_until_hung(watch, slow) == LOOKS + 1


def test_a_zone_that_is_gone_is_forgotten():
    watch, gone, stays = TickWatch(20.0), zone(), zone()
    for _ in range(LOOKS):
        watch.look([gone, stays])
    assert watch.look([stays]) == [stays]
