"""What a batch has to hold to be worth its trip, learnt from how long others waited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corororo._transfer._worth import DEAREST_NS, PART, WORTH_NS, Worth


def after(*delays_ns: float) -> float:
    worth = Worth()
    for delay_ns in delays_ns:
        worth.note_delay(delay_ns)
    return worth.worth_ns


@given(st.lists(st.floats(0, 1e12)))
def test_it_stays_within_its_bounds(delays_ns: list[float]) -> None:
    assert WORTH_NS <= after(*delays_ns) <= DEAREST_NS


def test_batches_that_are_taken_up_at_once_may_be_small() -> None:
    assert after() == after(*[WORTH_NS] * 1_000) == WORTH_NS


def test_batches_that_always_wait_have_to_hold_a_part_of_the_wait() -> None:
    assert after(*[6 * WORTH_NS] * 1_000) == pytest.approx(PART * 6 * WORTH_NS, rel=0.01)
    assert after(*[100 * WORTH_NS] * 100) == DEAREST_NS


def test_a_few_that_waited_behind_others_change_nothing() -> None:
    assert after(*[WORTH_NS, 20 * WORTH_NS] * 500) == WORTH_NS


def test_a_crowd_that_is_gone_is_soon_forgotten() -> None:
    assert after(*[20 * WORTH_NS] * 1_000, *[WORTH_NS] * 8) == WORTH_NS
