from __future__ import annotations

import pytest

from zonesim.controller.zone_states import TICKING, TO_TICK, TRANSITIONS, ZoneState, ZoneStates


def test_every_state_has_a_row_in_the_table_and_a_way_in_and_out():
    assert set(TRANSITIONS) == set(ZoneState)
    assert frozenset().union(*TRANSITIONS.values()) == set(ZoneState)
    assert all(TRANSITIONS.values())


def test_a_zone_comes_up_takes_players_is_drained_and_comes_again():
    states = ZoneStates()
    states.create(4)
    for state in (
        ZoneState.STARTING,
        ZoneState.READY,
        ZoneState.ALLOCATED,
        ZoneState.READY,
        ZoneState.DRAINING,
    ):
        states.move(4, state)
        assert states.all() == {4: state}
    states.move(4, ZoneState.SHUTDOWN)
    assert states.all() == {}
    states.create(4)
    assert states.of(4) is ZoneState.CREATING


def test_a_zone_stays_where_it_is_without_a_way():
    states = ZoneStates()
    states.create(1)
    states.move(1, ZoneState.CREATING)

    with pytest.raises(ValueError, match="zone 1 is Creating, and can become Starting, Unhealthy"):
        states.move(1, ZoneState.ALLOCATED)
    assert states.of(1) is ZoneState.CREATING


def test_a_zone_that_is_there_is_not_created_again():
    states = ZoneStates()
    states.create(1)
    states.move(1, ZoneState.STARTING)

    with pytest.raises(ValueError, match="zone 1 is Starting"):
        states.create(1)


def test_an_unhealthy_zone_is_one_that_should_tick_and_does_not():
    assert TO_TICK.difference(TICKING) == {ZoneState.UNHEALTHY}
