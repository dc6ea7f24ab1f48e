"""How large batches are, and how much of one zone's work is out at a time."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zone_and_worker import ZoneAndWorker, double, doubles, ran

from corororo._ring import Kind
from corororo._transfer import SharedRing
from corororo._transfer._codec import Reply
from corororo._transfer._sizing import (
    AHEAD_NS,
    FIRST_CALLS,
    FIRST_EARLY,
    HOLD_NS,
    LEAST_BATCHES,
    MAX_AHEAD_NS,
    MAX_BATCH_NS,
    MAX_WORTH_NS,
    WORTH_NS,
    WORTH_PER_DELAY,
    BatchWorth,
    FunctionState,
    SendWindow,
)
from corororo.testing import MockClock

WORKERS = 2
LEAST = LEAST_BATCHES * WORKERS
SLOW_NS = 5_000_000

# -- batches of one function


def new_state() -> FunctionState:
    return FunctionState(double)


def state_of(service_ns: float, worth_ns: float = WORTH_NS) -> FunctionState:
    """A function whose calls are known to take so long."""
    state = new_state()
    for _ in range(60):
        state.note_reply(10, Reply(round(service_ns * 10), range(10), None), worth_ns)
    return state


def sizes(state: FunctionState, calls: int, max_batch: int = 512, workers: int = 2) -> list[int]:
    found = []
    left = calls
    while left:
        found.append(state.next_size(left, calls, workers, max_batch))
        left -= found[-1]
    return found


@given(st.floats(10, 1e9), st.integers(1, 5_000), st.integers(1, 512), st.integers(1, 16))
def test_every_call_is_in_a_batch_within_the_bound(
    service_ns: float, calls: int, max_batch: int, workers: int
) -> None:
    found = sizes(state_of(service_ns), calls, max_batch, workers)
    assert sum(found) == calls
    assert all(1 <= size <= max_batch for size in found)


@pytest.mark.parametrize(
    ("calls", "found"), [(1, [1]), (2, [1, 1]), (5, [3, 2]), (396, [FIRST_CALLS] * 2)]
)
def test_small_batches_try_out_a_function_that_has_never_replied(
    calls: int, found: list[int]
) -> None:
    assert sizes(new_state(), calls)[:2] == found


@pytest.mark.parametrize(("service_ns", "found"), [(SLOW_NS, [1] * 20), (100, [20])])
def test_slow_calls_travel_alone_and_quick_ones_together(
    service_ns: float, found: list[int]
) -> None:
    assert sizes(state_of(service_ns), 20) == found


def test_batches_are_worth_their_trip_and_occupy_no_worker_for_long() -> None:
    found = sizes(state_of(10_000), 2_000)
    assert all(0.9 * WORTH_NS <= size * 10_000 <= MAX_BATCH_NS for size in found)


def test_the_last_batches_are_small_so_that_workers_end_together() -> None:
    found = sizes(state_of(20_000), 400)
    assert found[0] > 5 * found[-1]
    assert found[:-1] == sorted(found[:-1], reverse=True)  # the last takes the rest


def test_one_slow_reply_changes_little_and_two_in_a_row_are_believed() -> None:
    state = state_of(1_000)
    before = state.worth_sending
    state.note_reply(10, Reply(10**9, range(10), None))
    assert state.worth_sending >= before // 2
    state.note_reply(400, Reply(400 * SLOW_NS, range(400), None))
    assert sizes(state, 400)[0] < 10


def test_a_batch_that_was_not_run_teaches_no_service_time() -> None:
    for state, found in ((state_of(SLOW_NS), [1, 1]), (new_state(), [FIRST_CALLS] * 2)):
        state.note_reply(10, Reply(0, [None], {0: ValueError()}))
        assert sizes(state, 400)[:2] == found


def test_extents_follow_the_size_of_results_and_not_of_tracebacks() -> None:
    state = state_of(1_000)
    small = state.reply_room(100)
    state.note_reply(50_000, Reply(100, range(10), {0: ValueError()}))
    assert state.reply_room(100) == small
    state.note_reply(50_000, Reply(100, range(10), None))
    assert state.reply_room(10) >= 50_000
    for _ in range(400):
        state.note_reply(10, Reply(100, range(10), None))
    assert state.reply_room(100) == pytest.approx(small, rel=0.1)


def test_slow_calls_are_worth_sending_one_by_one_and_quick_ones_together() -> None:
    assert new_state().worth_sending == FIRST_EARLY
    assert state_of(2 * WORTH_NS).worth_sending == 1
    assert state_of(WORTH_NS / 50).worth_sending == pytest.approx(50, abs=1)


# -- what a batch is worth


def worth_after(*delays_ns: float) -> BatchWorth:
    worth = BatchWorth()
    for delay_ns in delays_ns:
        worth.note_delay(delay_ns)
    return worth


@given(st.lists(st.floats(0, 1e12)))
def test_the_worth_stays_within_its_bounds(delays_ns: list[float]) -> None:
    assert WORTH_NS <= worth_after(*delays_ns).worth_ns <= MAX_WORTH_NS


@pytest.mark.parametrize(
    ("delays_ns", "worth_ns"),
    [
        ([WORTH_NS] * 1_000, WORTH_NS),
        ([6 * WORTH_NS] * 1_000, WORTH_PER_DELAY * 6 * WORTH_NS),
        ([100 * WORTH_NS] * 1_000, MAX_WORTH_NS),
        ([WORTH_NS, 20 * WORTH_NS] * 500, WORTH_NS),  # some waited behind others
        ([20 * WORTH_NS] * 1_000 + [WORTH_NS] * 8, WORTH_NS),  # the crowd is gone
    ],
)
def test_batches_grow_with_the_usual_delay(delays_ns: list[float], worth_ns: float) -> None:
    assert worth_after(*delays_ns).worth_ns == pytest.approx(worth_ns, rel=0.01)


def test_where_batches_wait_long_more_calls_go_together() -> None:
    crowd = worth_after(*[10 * WORTH_NS] * 200).worth_ns
    here, there = state_of(1_000), state_of(1_000, crowd)
    assert len(sizes(there, 400)) < len(sizes(here, 400))
    assert there.worth_sending > here.worth_sending
    assert sizes(state_of(10 * WORTH_NS, crowd), 20) == [1] * 20


@pytest.mark.parametrize(
    ("delay_ns", "impossible_ns", "worth_ns"),
    [
        (10 * WORTH_NS, None, 5 * WORTH_NS),
        (0, None, WORTH_NS),
        (10 * WORTH_NS, 10**9, WORTH_NS),
        (10 * WORTH_NS, -(10**12), WORTH_NS),
    ],
)
def test_a_zone_learns_how_long_its_batches_wait_for_a_worker(
    pair: ZoneAndWorker, delay_ns: int, impossible_ns: int | None, worth_ns: int
) -> None:
    pair.worker._now_ns = pair.clock.now_ns
    for number in range(400):
        pair.zone.send_nowait(double, number, [(number,)])
        call = pair.read_call()
        pair.give_back(call)
        pair.clock.jump(delay_ns / 1e9)
        pair.work()
        if impossible_ns is not None:
            pair.memory.note_progress(call.offset, 0, pair.clock.now_ns() + impossible_ns)
        assert pair.take_all() == {(number, 0): 2 * number}
    assert pair.zone._sender.worth.worth_ns == pytest.approx(worth_ns, rel=0.05)


# -- the window


def ahead_ns(window: SendWindow) -> int:
    """Nanoseconds of work for each worker that the window has room for."""
    return next(ns for ns in range(10**6, 10**9, 10**6) if not window.has_room(99, ns * WORKERS))


def look(window: SendWindow, clock: MockClock, after_s: float, batches_out: int) -> None:
    window.note_sent()
    clock.jump(after_s)
    window.note_look(batches_out)


@given(st.integers(1, 16), st.integers(0, 200), st.floats(0, 1e9))
def test_each_worker_has_some_work_ahead_and_none_has_much(
    workers: int, batches: int, work_ns: float
) -> None:
    room = SendWindow(workers, MockClock().now_ns).has_room(batches, work_ns)
    assert room == (batches < LEAST_BATCHES * workers or work_ns < AHEAD_NS * workers)


def test_the_window_follows_how_seldom_a_zone_looks_for_replies() -> None:
    clock = MockClock()
    window = SendWindow(WORKERS, clock.now_ns)
    assert ahead_ns(window) == AHEAD_NS
    for after_s, batches_out, expected_ns, looks in [
        (0.05, 0, 50_000_000, 3),  # the workers had to wait
        (0.03, 5, 50_000_000, 100),  # it was not too much
        (0.001, 5, AHEAD_NS, 10_000),
        (3_600, 0, MAX_AHEAD_NS, 1),
    ]:
        for _ in range(looks):
            look(window, clock, after_s, batches_out)
        assert ahead_ns(window) == expected_ns


def test_a_single_late_look_widens_the_window_for_a_while_only() -> None:
    clock = MockClock()
    window = SendWindow(WORKERS, clock.now_ns)
    look(window, clock, 0.02, 0)
    for _ in range(5):
        clock.jump(1.1 * HOLD_NS / 1e9)
        look(window, clock, 0.001, 1)
    assert ahead_ns(window) == AHEAD_NS


def test_a_zone_that_floods_has_few_batches_in_the_queue_and_others_come_between(
    pair: ZoneAndWorker,
) -> None:
    pair.teach(double, SLOW_NS)
    pair.zone.send_nowait(double, "a", [(i,) for i in range(60)])
    assert pair.calls_reader.queued() == pair.zone.statistics().batches_out == LEAST
    with contextlib.closing(SharedRing(pair.session, pair.config)) as other:
        other.send_nowait(double, "b", [(21,)])
        for _ in range(LEAST + 1):
            pair.worker.do_work()
        assert [completion.values for completion in other.take_nowait()] == [[42]]
    assert pair.take_all() == doubles("a", 60)


def test_calls_that_cost_little_are_not_held_back(pair: ZoneAndWorker) -> None:
    pair.teach(double, 1_000)
    pair.zone.send_nowait(double, "a", [(i,) for i in range(320)])
    assert pair.zone.statistics().batches_out == 320 / pair.config.max_batch


def test_of_a_function_that_has_never_replied_a_few_calls_go_first(pair: ZoneAndWorker) -> None:
    for ticket in "ab":
        pair.zone.send_nowait(double, ticket, [(i,) for i in range(400)])
    assert pair.calls_reader.queued() == LEAST
    assert pair.memory.header(0).calls == FIRST_CALLS
    assert pair.take_all() == doubles("a", 400) | doubles("b", 400)
    assert ran == [*range(400), *range(400)]


def test_a_zone_sends_more_when_it_hears_of_more_workers(tmp_path: Path) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, workers=1)) as pair:
        pair.teach(double, SLOW_NS)
        pair.zone.send_nowait(double, "a", [(i,) for i in range(30)])
        call = pair.read_call()
        pair.give_back(call)
        for workers in (3, 0):  # 0 makes no sense
            pair.replies.write_nowait(call._replace(kind=Kind.RESIZED, sequence=0, length=workers))
            pair.zone.take_nowait()
            assert pair.zone.statistics().workers == max(1, workers)
            assert pair.calls_reader.queued() == 3 * LEAST_BATCHES
        assert pair.take_all() == doubles("a", 30)
