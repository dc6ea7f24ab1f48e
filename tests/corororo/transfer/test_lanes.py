"""How many calls go together, learnt from what they took before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo._transfer._codec import Reply
from corororo._transfer._lanes import FIRST_CALLS, FIRST_EARLY, LONGEST_NS, Lane
from corororo._transfer._worth import WORTH_NS, Worth


@cr.async_task
def function(x: int) -> int:
    return x


def lane_that_takes(nanoseconds: float, worth: Worth | None = None) -> Lane:
    """A lane that has learnt how long a call takes."""
    lane = Lane(function, worth or Worth())
    for _ in range(60):
        lane.note_reply(10, Reply(round(nanoseconds * 10), range(10), None))
    return lane


def sizes(lane: Lane, calls: int, workers: int, max_batch: int) -> list[int]:
    found = []
    of = calls
    while calls:
        found.append(lane.next_size(calls, of, workers, max_batch))
        calls -= found[-1]
    return found


@given(st.floats(10, 1e9), st.integers(1, 5_000), st.integers(1, 16), st.integers(1, 512))
def test_every_call_is_in_a_batch_within_the_bound(
    service_ns: float, calls: int, workers: int, max_batch: int
) -> None:
    found = sizes(lane_that_takes(service_ns), calls, workers, max_batch)
    assert sum(found) == calls
    assert all(1 <= size <= max_batch for size in found)


@pytest.mark.parametrize(
    ("calls", "found"), [(1, [1]), (2, [1, 1]), (5, [3, 2]), (396, [FIRST_CALLS] * 2)]
)
def test_a_function_that_has_never_replied_is_tried_in_small_parts_by_all_workers(
    calls: int, found: list[int]
) -> None:
    assert sizes(Lane(function, Worth()), calls, 2, 512)[:2] == found


def test_a_long_call_goes_alone() -> None:
    assert sizes(lane_that_takes(5_000_000), 20, 2, 512) == [1] * 20


def test_calls_that_cost_nothing_go_together() -> None:
    assert sizes(lane_that_takes(100), 396, 2, 512) == [396]


def test_batches_are_worth_their_trip_and_keep_no_worker_for_long() -> None:
    service_ns = 10_000
    found = sizes(lane_that_takes(service_ns), 2_000, 2, 512)
    assert all(size * service_ns >= WORTH_NS * 0.9 for size in found)
    assert all(size * service_ns <= LONGEST_NS for size in found)


def test_where_batches_wait_long_for_a_worker_more_calls_go_together() -> None:
    worth = Worth()
    for _ in range(200):
        worth.note_delay(10 * WORTH_NS)
    here, there = lane_that_takes(1_000), lane_that_takes(1_000, worth)
    assert len(sizes(there, 400, 2, 512)) < len(sizes(here, 400, 2, 512))
    assert there.worth_sending > here.worth_sending
    assert sizes(lane_that_takes(10 * WORTH_NS, worth), 20, 2, 512) == [1] * 20


def test_the_last_batches_are_small_so_that_workers_end_together() -> None:
    found = sizes(lane_that_takes(20_000), 400, 2, 512)
    assert found[0] > 5 * found[-1]
    assert found[:-1] == sorted(found[:-1], reverse=True)  # the last takes what is left


def test_one_reply_that_took_long_does_not_change_the_sizes_much() -> None:
    lane = lane_that_takes(1_000)
    before = lane.least
    lane.note_reply(10, Reply(10**9, range(10), None))
    assert lane.least >= before // 2


def test_work_that_has_become_heavier_is_spread_over_the_workers_soon() -> None:
    lane = lane_that_takes(1_000)
    assert len(sizes(lane, 400, 2, 512)) <= 4
    for _ in range(2):
        lane.note_reply(400, Reply(400 * 5_000_000, range(400), None))
    assert sizes(lane, 400, 2, 512)[0] < 10


def test_a_batch_that_was_not_run_teaches_nothing_of_how_long_its_calls_take() -> None:
    lane = lane_that_takes(5_000_000)
    for _ in range(20):
        lane.note_reply(10, Reply(0, [None], {0: ValueError()}))
    assert sizes(lane, 20, 2, 512) == [1] * 20
    fresh = Lane(function, Worth())
    fresh.note_reply(10, Reply(0, [None], {0: ValueError()}))
    assert sizes(fresh, 400, 2, 512)[:2] == [FIRST_CALLS] * 2


def test_extents_follow_the_size_of_results_and_not_of_tracebacks() -> None:
    lane = lane_that_takes(1_000)
    small = lane.reply_room(100)
    lane.note_reply(50_000, Reply(100, range(10), {0: ValueError()}))
    assert lane.reply_room(100) == small
    lane.note_reply(50_000, Reply(100, range(10), None))
    assert lane.reply_room(10) >= 50_000
    for _ in range(400):
        lane.note_reply(10, Reply(100, range(10), None))
    assert lane.reply_room(100) == pytest.approx(small, rel=0.1)


def test_slow_calls_are_worth_sending_one_by_one_and_quick_ones_together() -> None:
    assert Lane(function, Worth()).worth_sending == FIRST_EARLY
    assert lane_that_takes(2 * WORTH_NS).worth_sending == 1
    assert lane_that_takes(WORTH_NS / 50).worth_sending == pytest.approx(50, abs=1)
