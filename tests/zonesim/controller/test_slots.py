from __future__ import annotations

import pytest

from zonesim.controller.slots import SlotTable, ZoneState
from zonesim.scenario.supervision import Supervision
from zonesim.workloads.base import ZoneSpec

SPEC = ZoneSpec(4, 1, 0.4, "chains", "")


@pytest.fixture
def table():
    return SlotTable(Supervision())


def test_a_zone_is_created_drained_and_created_again(table):
    slot = table.add_zone(SPEC, 2)
    for state in (
        ZoneState.STARTING,
        ZoneState.READY,
        ZoneState.ALLOCATED,
        ZoneState.READY,
        ZoneState.DRAINING,
    ):
        table.move(4, state)
        assert table.states() == {4: state}
    assert table.slots_with([4, 5]) == [slot]
    assert table.remove_zones([4]) == [slot]
    assert (table.states(), table.all(), slot.retiring) == ({}, [], True)
    assert table.add_zone(SPEC, 2) is not slot
    assert table.states()[4] is ZoneState.CREATING


def test_a_transition_that_is_not_in_the_table_is_refused(table):
    table.add_zone(SPEC, 2)
    table.move(4, ZoneState.CREATING)
    with pytest.raises(ValueError, match="zone 4 is Creating and can become Starting, Unhealthy"):
        table.move(4, ZoneState.ALLOCATED)
    assert table.states()[4] is ZoneState.CREATING


def test_a_slot_that_still_holds_zones_stays(table):
    for zone in (4, 5):
        table.add_zone(ZoneSpec(zone, 1, 0.4, "chains", ""), 2)
        for state in (ZoneState.STARTING, ZoneState.READY, ZoneState.DRAINING):
            table.move(zone, state)
    assert table.remove_zones([4]) == []
    assert [list(slot.specs) for slot in table.all()] == [[5]]
