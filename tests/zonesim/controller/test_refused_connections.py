from __future__ import annotations

import pytest

from zonesim.controller.refusals import AT_ONCE, EVERY_S, Refusals


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def refusals(told, clock):
    return Refusals(lambda subject, reason: told.append((subject, reason)), clock)


def test_each_is_told_once(refusals, told):
    for _ in range(3):
        refusals.note("process 1", "no word")
        refusals.note("process 2", "no word")
    assert told == [("process 1", "no word"), ("process 2", "no word")]


def test_a_flood_is_told_as_a_number(refusals, told, clock):
    for number in range(10_000):
        refusals.note(f"process {number}", "no word")
    assert len(told) == AT_ONCE
    clock.now += EVERY_S
    refusals.note("process x", "no word")
    assert told[AT_ONCE:] == [("process x", "no word; 9990 more were refused before")]
    refusals.note("process y", "no word")
    assert len(told) == AT_ONCE + 1


def test_what_is_left_is_told_in_the_end_and_only_then(refusals, told):
    refusals.close()
    assert told == []
    for _ in range(4):
        refusals.note("process 1", "no word")
    refusals.close()
    refusals.close()
    assert told == [("process 1", "no word"), ("others", "3 more were refused")]
