from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.processes.health import (
    ASLEEP_LOOKS,
    NO_DOUBT,
    SLEEPING,
    STOPPED,
    TIMES_BUSIEST,
    Look,
    why_it_hangs,
)

ALLOWED_S = 2.0
STATES = ["", *"RSDTtZXI"]
JUST_TOO_LONG_S = ALLOWED_S + 0.1
ENOUGH_CPU_S = ALLOWED_S / 2

states = st.sampled_from(STATES)
seconds = st.floats(0, 1000)
looks = st.integers(0, 2 * ASLEEP_LOOKS)


def why(
    silent_s: float,
    state: str,
    cpu_s: float = 0.0,
    asleep: int = ASLEEP_LOOKS,
    busiest_s: float = 0.01,
    **how: bool,
) -> str | None:
    """``asleep``: in how many looks in a row it slept; none where it does not sleep in this one."""
    asleep_looks = asleep if state in SLEEPING else 0
    return why_it_hangs(Look(silent_s, state, cpu_s, asleep_looks), ALLOWED_S, busiest_s, **how)


def test_who_has_been_busy_for_long_and_come_back_may_be_busy_for_longer():
    usual_s = 5.0
    assert why(JUST_TOO_LONG_S, "R", TIMES_BUSIEST * usual_s - 0.1, busiest_s=usual_s) is None
    assert "does not come back" in why(JUST_TOO_LONG_S, "R", 3 * usual_s, busiest_s=usual_s)


def test_of_who_has_run_nothing_yet_nobody_knows_how_long_it_may_be_busy():
    assert why(JUST_TOO_LONG_S, "R", 100.0, busiest_s=0.0) is None
    assert why(NO_DOUBT * ALLOWED_S + 0.1, "R", 100.0, busiest_s=0.0) == "it is in state R"


@given(st.floats(0, ALLOWED_S), states, seconds, looks, st.booleans())
def test_whoever_has_spoken_lately_is_well_whatever_else_is_seen(
    silent_s, state, cpu_s, asleep, busy
):
    assert why(silent_s, state, cpu_s, asleep, may_be_busy=busy) is None


@pytest.mark.parametrize("state", STATES)
def test_silence_is_allowed_up_to_its_very_end(state):
    assert why(ALLOWED_S, state, 10 * ENOUGH_CPU_S) is None


@pytest.mark.parametrize("may_be_busy", [True, False])
@pytest.mark.parametrize("state", sorted(STOPPED))
def test_a_silent_process_that_is_stopped_or_traced_hangs_however_busy_it_may_be(
    state, may_be_busy
):
    assert why(JUST_TOO_LONG_S, state, may_be_busy=may_be_busy) == "it is stopped"


@pytest.mark.parametrize("state", sorted(SLEEPING))
def test_a_silent_process_that_sleeps_should_have_woken(state):
    found = why(JUST_TOO_LONG_S, state)
    assert found == "it sleeps, or waits for something that does not come"


@pytest.mark.parametrize("state", sorted(SLEEPING))
def test_who_was_seen_asleep_in_fewer_looks_may_only_have_waited_for_a_lock(state):
    for asleep in range(1, ASLEEP_LOOKS):
        assert why(JUST_TOO_LONG_S, state, asleep=asleep) is None
    assert why(JUST_TOO_LONG_S, state, asleep=ASLEEP_LOOKS + 1) is not None


@pytest.mark.parametrize("state", sorted(SLEEPING))
def test_who_is_seldom_seen_asleep_is_judged_like_one_that_runs(state):
    assert why(JUST_TOO_LONG_S, state, ENOUGH_CPU_S, asleep=1) == (
        "it runs and does not come back: 1.0 s of CPU since"
    )
    longest_s = NO_DOUBT * ALLOWED_S
    assert why(longest_s, state, asleep=1) is None
    assert why(longest_s + 0.1, state, asleep=1) == f"it is in state {state}"


def test_a_silent_process_of_which_nothing_is_known_is_not_trusted():
    assert why(JUST_TOO_LONG_S, "") == "nothing is known of what it does"


def test_a_process_that_had_the_cpu_for_long_enough_to_speak_runs_in_circles():
    assert why(JUST_TOO_LONG_S, "R", ENOUGH_CPU_S) == (
        "it runs and does not come back: 1.0 s of CPU since"
    )
    assert why(JUST_TOO_LONG_S, "R", 0.99 * ENOUGH_CPU_S) is None


@pytest.mark.parametrize("state", list("RDZI"))
def test_a_process_that_waits_for_its_turn_is_waited_for_but_not_for_ever(state):
    longest_s = NO_DOUBT * ALLOWED_S
    assert why(JUST_TOO_LONG_S, state) is None
    assert why(longest_s, state) is None
    assert why(longest_s + 0.1, state) == f"it is in state {state}"


@given(
    seconds, st.sampled_from([state for state in STATES if state not in STOPPED]), seconds, looks
)
def test_one_that_may_be_busy_hangs_only_where_it_is_stopped(silent_s, state, cpu_s, asleep):
    assert why(silent_s, state, cpu_s, asleep, may_be_busy=True) is None


@given(seconds, seconds, states, seconds, seconds, looks, looks, st.booleans())
def test_whoever_hangs_hangs_no_less_after_more_silence_more_cpu_and_more_sleep(
    silent_s, more_s, state, cpu_s, more_cpu_s, asleep, more, busy
):
    if why(silent_s, state, cpu_s, asleep, may_be_busy=busy) is not None:
        later = silent_s + more_s, state, cpu_s + more_cpu_s, asleep + more
        assert why(*later, may_be_busy=busy) is not None


@given(seconds, states, seconds, looks, st.booleans())
def test_what_is_wrong_is_told_in_one_line(silent_s, state, cpu_s, asleep, busy):
    found = why(silent_s, state, cpu_s, asleep, may_be_busy=busy)
    assert found is None or len(found.splitlines()) == 1
