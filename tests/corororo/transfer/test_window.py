"""How much of one zone's work is with the workers at a time, and who comes between."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from office import Office, double, doubles, ran

import corororo as cr
from corororo._ring import Kind
from corororo._transfer import SharedRing
from corororo._transfer._lanes import FIRST_CALLS
from corororo._transfer._window import (
    AHEAD_NS,
    HOLD_NS,
    LEAST_BATCHES,
    LONGEST_AHEAD_NS,
    Window,
)
from corororo.testing import MockClock

WORKERS = 2
LEAST = LEAST_BATCHES * WORKERS
NAP_S = 0.002


@cr.async_task(retries=1_000)
def nap_and_double(x: int) -> int:
    time.sleep(NAP_S)
    return 2 * x


def queued(office: Office) -> int:
    return office.calls_reader.queued()


def ahead_ns(window: Window) -> int:
    """Nanoseconds of work for each worker for which there is room, beyond many batches."""
    return next(ns for ns in range(10**6, 10**9, 10**6) if not window.has_room(99, ns * WORKERS))


@given(st.integers(1, 16), st.integers(0, 200), st.floats(0, 1e9))
def test_each_worker_has_something_to_go_on_with_and_none_has_much(
    workers: int, batches: int, work_ns: float
) -> None:
    room = Window(workers, MockClock().now_ns).has_room(batches, work_ns)
    assert room == (batches < 2 * workers or work_ns < AHEAD_NS * workers)


def test_a_zone_that_looks_seldom_has_more_out_and_soon_less_when_it_looks_often() -> None:
    clock = MockClock()
    window = Window(WORKERS, clock.now_ns)
    assert ahead_ns(window) == AHEAD_NS
    for _ in range(3):
        window.sent()
        clock.jump(0.05)
        window.look(0)  # all was back long ago
    assert ahead_ns(window) == 50_000_000
    for _ in range(100):
        window.sent()
        clock.jump(0.03)
        window.look(5)  # it was not too much
    assert ahead_ns(window) == 50_000_000
    for _ in range(10_000):
        window.sent()
        clock.jump(0.001)
        window.look(5)
    assert ahead_ns(window) == AHEAD_NS


def test_a_zone_that_stood_still_is_not_given_all_there_is() -> None:
    clock = MockClock()
    window = Window(WORKERS, clock.now_ns)
    clock.jump(3600)
    window.look(0)
    assert ahead_ns(window) == LONGEST_AHEAD_NS


def test_a_zone_that_looked_late_once_has_more_out_for_a_while_only() -> None:
    clock = MockClock()
    window = Window(WORKERS, clock.now_ns)
    clock.jump(0.02)
    window.look(0)
    for _ in range(5):
        clock.jump(1.1 * HOLD_NS / 1e9 - 0.001)
        window.sent()
        clock.jump(0.001)
        window.look(1)
    assert ahead_ns(window) == AHEAD_NS


def test_a_zone_that_floods_has_few_batches_in_the_queue_at_any_time(office: Office) -> None:
    office.teach(nap_and_double, int(NAP_S * 1e9))
    office.zone.send_nowait(nap_and_double, "a", [(i,) for i in range(60)])
    outcomes: dict[object, object] = {}
    most = 0
    while office.zone.in_flight:
        most = max(most, queued(office))
        assert office.zone.statistics().batches_out <= LEAST
        assert office.zone.statistics().batches_waiting or office.zone.in_flight <= LEAST
        office.worker.do_work()
        office.collect(outcomes)
    assert most == LEAST
    assert outcomes == doubles("a", 60)


def test_another_zone_waits_behind_no_more_than_that(office: Office) -> None:
    office.teach(nap_and_double, int(NAP_S * 1e9))
    office.zone.send_nowait(nap_and_double, "a", [(i,) for i in range(60)])
    with contextlib.closing(SharedRing(office.session, office.config)) as other:
        other.send_nowait(double, "b", [(21,)])
        assert queued(office) == LEAST + 1
        for _ in range(LEAST + 1):
            office.worker.do_work()
            office.zone.take_nowait()  # which sends more, behind the other's
        assert [completion.values for completion in other.take_nowait()] == [[42]]
        assert office.zone.in_flight == 60 - LEAST


def test_calls_that_cost_little_are_not_held_back(office: Office) -> None:
    office.teach(double, 1_000)
    office.zone.send_nowait(double, "a", [(i,) for i in range(400)])
    assert office.zone.statistics().batches_out == 400 / office.config.max_batch


def test_of_a_function_that_has_never_replied_a_few_calls_go_first(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(i,) for i in range(400)])
    office.zone.send_nowait(double, "b", [(i,) for i in range(400)])
    assert queued(office) == LEAST
    assert office.memory.header(0).calls == FIRST_CALLS
    assert office.take_all() == doubles("a", 400) | doubles("b", 400)
    assert ran == [*range(400), *range(400)]


def test_what_runs_again_goes_before_what_was_held_back(office: Office) -> None:
    office.teach(nap_and_double, int(NAP_S * 1e9))
    office.zone.send_nowait(nap_and_double, "a", [(i,) for i in range(12)])
    office.die(office.read_call(), marked=True)
    assert office.zone.take_nowait() == []
    found = []
    while (descriptor := office.read_call()) is not None:
        header = office.memory.header(descriptor.offset)
        if header.attempt == descriptor.attempt:
            start = descriptor.offset + header.request_offset
            found.append(office.memory.read(start, header.request_length)[-1])
            office.memory.mark(descriptor.offset, descriptor.attempt, 9)
    assert found == [0, 1, 2, 3]
    office.tell_death(9)
    assert office.take_all() == doubles("a", 12)


def test_more_workers_get_more_as_soon_as_the_zone_has_heard_of_them(tmp_path: Path) -> None:
    with contextlib.closing(Office(tmp_path, workers=1)) as office:
        office.teach(nap_and_double, int(NAP_S * 1e9))
        office.zone.send_nowait(nap_and_double, "a", [(i,) for i in range(30)])
        assert queued(office) == LEAST_BATCHES
        for workers in (3, 0):  # nobody but a forger says 0
            resized = office.read_call()
            assert resized is not None
            office.give_back(resized)
            office.replies.write_nowait(
                resized._replace(kind=Kind.RESIZED, sequence=0, length=workers)
            )
            office.zone.take_nowait()
            assert queued(office) == 3 * LEAST_BATCHES
        assert office.take_all() == doubles("a", 30)
