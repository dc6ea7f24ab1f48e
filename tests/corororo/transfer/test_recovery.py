"""Batches whose worker died, hangs or lost the descriptor come back, and killers fail alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zone_and_worker import LockHolder, ZoneAndWorker, double, doubles, ran

import corororo as cr
from corororo._ring import NO_WORKER, Descriptor, Kind
from corororo._transfer._recovery import LOST_NS

LOST_S = LOST_NS / 1e9 + 0.1
FOREIGN = Descriptor(Kind.CALLS)  # of another zone


@cr.async_task(retries=0)
def only_once(x: int) -> int:
    return x


@cr.async_task(timeout=0.5)
def limited(x: int) -> int:
    return x


@cr.async_task(retries=1)
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pytest.fixture
def single(tmp_path: Path) -> Iterator[ZoneAndWorker]:
    """All calls of a function in one batch."""
    ran.clear()
    with contextlib.closing(ZoneAndWorker(tmp_path, max_batch=512, workers=1)) as pair:
        yield pair


def asked(pair: ZoneAndWorker) -> list[tuple[int, int]]:
    """What the zone has asked of the pool since the last time: kinds and workers."""
    found = pair.readers[2].read_nowait()
    assert all(descriptor.ring == pair.number for descriptor in found)
    return [(descriptor.kind, descriptor.worker) for descriptor in found]


def pass_time(pair: ZoneAndWorker, seconds: float) -> None:
    for _ in range(round(seconds * 20)):
        pair.clock.jump(0.05)
        pair.zone.take_nowait()


@contextlib.contextmanager
def pool_that_takes_no_requests(pair: ZoneAndWorker) -> Iterator[None]:
    with contextlib.suppress(cr.CorororoError):
        while True:
            pair.writers[2].write_nowait(Descriptor(Kind.READY))
    yield
    while pair.readers[2].read_nowait():
        pass


# -- dead workers

STEPS = st.lists(st.sampled_from(["work", "unmarked", "marked", "take", "idle"]), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, calls=st.integers(1, 40), service_ns=st.sampled_from([None, 100, 10**6]))
def test_no_call_is_lost_or_answered_twice_whenever_workers_die(
    tmp_path: Path, steps: list[str], calls: int, service_ns: int | None
) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, ring_bytes=1 << 14, max_batch=5)) as pair:
        outcomes: dict[Any, Any] = {}
        if service_ns is not None:
            pair.teach(double, service_ns)
        pair.zone.send_nowait(double, "a", [(i,) for i in range(calls)])
        for step in steps:
            if step == "work" and pair.has_calls():
                pair.worker.do_work()
            elif step in ("marked", "unmarked"):
                call = pair.read_call() if pair.has_calls() else None
                pair.die(call, marked=step == "marked")
            elif step == "idle":
                pair.report_death(1_000)
            else:
                pair.collect(outcomes)
        assert outcomes | pair.take_all() == doubles("a", calls)
        assert pair.zone.statistics().ring.used_bytes == 0
        assert len(list(pair.session.directory.glob("*.spill"))) == 0


def test_a_descriptor_of_an_older_attempt_runs_nothing(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(double, "a", [(1,), (2,)])
    single.report_death(7)  # it may have read the descriptor that is still in the FIFO
    assert single.zone.take_nowait() == []
    assert len(single.read_all_calls()) == 2
    single.report_death(7)
    assert single.take_all() == {("a", 0): 2, ("a", 1): 4}
    assert sorted(ran) == [1, 2]


@pytest.mark.timeout(30)
def test_a_call_whose_record_was_locked_when_its_worker_died_is_not_lost(
    single: ZoneAndWorker, source_environment: dict[str, str]
) -> None:
    single.zone.send_nowait(double, "a", [(3,)])
    call = single.read_call()  # by a worker that dies before it marks the record
    with contextlib.closing(LockHolder(single, call.offset, source_environment)):
        single.report_death(9)
        assert single.zone.take_nowait() == []
        assert not single.has_calls()
    single.clock.jump(LOST_S)
    assert single.take_all() == {("a", 0): 6}


@pytest.mark.parametrize("marked", [True, False])
def test_calls_run_again_with_the_arguments_they_were_sent_with(
    single: ZoneAndWorker, marked: bool
) -> None:
    numbers = [[1, 2], [3]]
    single.zone.send_nowait(total, "a", [(numbers[0],), (numbers[1],)])
    call = single.read_call()
    for given_numbers in numbers:
        given_numbers.append(1_000)  # the Task changes what it passed
    single.die(call, marked=marked)
    assert single.take_all() == {("a", 0): 3, ("a", 1): 3}


def test_calls_that_run_again_go_before_those_that_wait(pair: ZoneAndWorker) -> None:
    pair.teach(double, 2_000_000)
    pair.zone.send_nowait(double, "a", [(i,) for i in range(12)])
    pair.die(pair.read_call(), marked=True)
    assert pair.zone.take_nowait() == []
    valid = filter(pair.memory.waits, pair.read_all_calls())
    assert sorted(map(pair.first_argument, valid)) == [0, 1, 2, 3]
    pair.report_death(9)
    assert pair.take_all() == doubles("a", 12)


@pytest.mark.parametrize("death", [True, False])
def test_descriptors_are_sent_again_in_their_order(single: ZoneAndWorker, death: bool) -> None:
    single.teach(double, 1_000)
    for i in range(5):
        single.zone.send_nowait(double, "a", [(i,)])
        single.clock.jump(0.001)
    assert [single.first_argument(call) for call in single.read_all_calls()] == [0, 1, 2, 3, 4]
    if death:
        single.report_death(99)
    else:
        single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    assert [single.first_argument(call) for call in single.read_all_calls()] == [0, 1, 2, 3, 4]


# -- lost descriptors and replies


def test_a_lost_descriptor_is_sent_again(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = single.read_call()
    single.clock.jump(LOST_S / 2)
    assert single.zone.take_nowait() == []
    assert not single.has_calls()
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    assert single.has_calls()
    single.give_back(lost)  # it was only late
    assert single.take_all() == {("a", 0): 2}
    assert ran == [1]


def test_copies_of_a_descriptor_become_ever_rarer(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    pass_time(single, 100)
    assert 6 <= len(single.read_all_calls()) <= 8


def test_behind_long_calls_one_copy_goes_out_for_all(single: ZoneAndWorker) -> None:
    single.teach(double, 1_000)
    for i in range(5):
        single.zone.send_nowait(double, i, [(i,)])
    pass_time(single, 2.5)
    calls = single.read_all_calls()
    assert len(set(calls)) == 5
    assert calls[5:] == calls[:1]
    for call in calls:
        single.give_back(call)
    assert single.take_all() == {(i, 0): 2 * i for i in range(5)}
    assert ran == [0, 1, 2, 3, 4]


def test_a_full_fifo_takes_no_copies_until_it_has_room(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = single.read_call()
    single.fill_calls()
    for _ in range(single.calls_reader.capacity() // 2):
        single.clock.jump(LOST_S)
        assert single.zone.take_nowait() == []
        single.read_call()
    assert single.zone.batches_sent == 1
    single.read_call()
    single.clock.jump(100 * LOST_S)
    assert single.zone.take_nowait() == []
    assert set(single.read_all_calls()) == {FOREIGN, lost}


def test_a_marked_batch_that_no_worker_runs_is_run_again(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(only_once, "a", [(5,)])
    single.mark(single.read_call(), 77)
    pass_time(single, 0.5)
    assert single.take_all() == {("a", 0): 5}  # without a retry


# -- requests to the pool


def test_the_pool_is_asked_about_the_worker_that_has_a_batch_for_long(
    single: ZoneAndWorker,
) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    call = single.read_call()
    single.zone.take_nowait()
    assert asked(single) == []
    longest_wait_s = single.zone.longest_wait_s()
    assert longest_wait_s is not None
    assert longest_wait_s <= 0.1
    single.clock.jump(0.15)
    single.zone.take_nowait()
    assert asked(single) == [(Kind.LOOK, NO_WORKER)]  # any of them may have read it
    single.mark(call, 4)
    single.zone.take_nowait()
    assert asked(single) == []  # not at each look for replies
    single.clock.jump(0.15)
    single.zone.take_nowait()
    assert asked(single) == [(Kind.LOOK, 4)]


def test_looks_for_calls_in_a_long_queue_become_rarer(single: ZoneAndWorker) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    times = 0
    for _ in range(100):  # ten seconds in which no worker reads
        pass_time(single, 0.1)
        times += len(asked(single))
    assert 5 <= times <= 12


# -- timeouts and workers that hang


def start_call(pair: ZoneAndWorker, call: int = 0) -> Descriptor:
    """Worker 6 has begun with a call of the batch and is still at it."""
    descriptor = pair.read_call()
    pair.clock.jump(0.01)
    pair.mark(descriptor, 6)
    pair.memory.note_progress(descriptor.offset, call, pair.clock.now_ns())
    return descriptor


@pytest.fixture
def strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneAndWorker]:
    """``hang_timeout`` is 2 s, and the records are locked as by a worker that runs them."""
    options: dict[str, Any] = {"max_batch": 512, "workers": 1, "hang_timeout": 2.0}
    with contextlib.closing(ZoneAndWorker(tmp_path, **options)) as pair:
        monkeypatch.setattr(pair.zone._records._memory, "try_lock", lambda _offset: False)
        yield pair


def kills(pair: ZoneAndWorker) -> list[tuple[int, int]]:
    return [request for request in asked(pair) if request[0] != Kind.LOOK]


@pytest.mark.parametrize(
    ("function", "kind", "limit_s"), [(limited, Kind.KILL, 0.5), (double, Kind.HUNG, 2.0)]
)
def test_a_worker_that_exceeds_a_limit_is_killed_once(
    strict: ZoneAndWorker, function: Any, kind: Kind, limit_s: float
) -> None:
    strict.zone.send_nowait(function, "a", [(1,), (2,)])
    start_call(strict)
    pass_time(strict, 0.9 * limit_s)
    assert kills(strict) == []
    pass_time(strict, 0.8 * limit_s)  # half as much again, and two looks
    assert kills(strict) == [(kind, 6)]
    pass_time(strict, 4 * limit_s)
    assert kills(strict) == []


def test_a_kill_that_the_pool_did_not_take_is_asked_for_again(strict: ZoneAndWorker) -> None:
    strict.zone.send_nowait(limited, "a", [(1,)])
    start_call(strict)
    with pool_that_takes_no_requests(strict):
        pass_time(strict, 2.0)
    pass_time(strict, 0.3)
    assert kills(strict) == [(Kind.KILL, 6)]


def test_each_call_of_a_batch_has_its_own_time(strict: ZoneAndWorker) -> None:
    strict.zone.send_nowait(limited, "a", [(i,) for i in range(9)])
    descriptor = start_call(strict)
    for call in range(9):
        strict.memory.note_progress(descriptor.offset, call, strict.clock.now_ns())
        pass_time(strict, 0.4)
    assert kills(strict) == []


@pytest.mark.parametrize("function", [limited, double])
def test_a_zone_that_was_stopped_kills_no_worker_at_its_first_look(
    strict: ZoneAndWorker, function: Any
) -> None:
    strict.zone.send_nowait(function, "a", [(1,), (2,)])
    descriptor = start_call(strict)
    pass_time(strict, 0.1)
    strict.memory.note_progress(descriptor.offset, 1, strict.clock.now_ns())
    strict.clock.jump(60.0)
    strict.zone.take_nowait()
    strict.memory.note_progress(descriptor.offset, 2, strict.clock.now_ns())  # the last is done
    pass_time(strict, 1.5)
    assert kills(strict) == []


@pytest.mark.parametrize("call", [0, 1, 2])
@pytest.mark.parametrize("finished", [False, True])
def test_a_call_past_its_timeout_fails_alone_unless_it_ended_before_its_worker(
    strict: ZoneAndWorker, monkeypatch: pytest.MonkeyPatch, call: int, finished: bool
) -> None:
    strict.zone.send_nowait(limited, "a", [(0,), (1,), (2,)])
    descriptor = start_call(strict, call)
    pass_time(strict, 2.0)
    monkeypatch.undo()
    if finished:  # and the next one began
        strict.memory.note_progress(descriptor.offset, call + 1, strict.clock.now_ns())
    strict.report_death(6, Kind.WORKER_KILLED)
    outcomes = strict.take_all()
    if not finished:
        assert isinstance(outcomes.pop(("a", call)), cr.AsyncTaskTimeout)
    assert outcomes == {("a", i): i for i in range(3) if finished or i != call}


@pytest.mark.parametrize("kind", [Kind.WORKER_KILLED, Kind.WORKER_DIED])
def test_the_batch_that_hung_a_worker_is_blamed(
    strict: ZoneAndWorker, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    strict.zone.send_nowait(only_once, "a", [(1,)])
    start_call(strict)
    pass_time(strict, 4.0)
    monkeypatch.undo()
    strict.report_death(6, kind)
    assert isinstance(strict.take_all()["a", 0], cr.WorkerDied)
