"""More and larger calls than there is room for: all wait their turn, and nothing grows."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import worker_calls as calls
from waiting import finish

import corororo as cr

pytestmark = pytest.mark.timeout(60)

SMALL_RING = 1 << 14


MAX_PENDING = 200


MEGABYTE = 1 << 20


LIMIT = r"the limit is 10000; (pass|return) less, or raise WorkerPool\(max_message_bytes=\.\.\.\)"


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_two_hundred_times_what_a_ring_holds_goes_there_and_back_in_order() -> None:
    data = [i.to_bytes(4, "big") * 400 for i in range(2_000)]
    with cr.WorkerPool(2, ring_bytes=SMALL_RING) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.echo.map(data), 40) == data
        assert finish(scheduler, cr.gather(*map(calls.echo, data)), 40) == data


@pytest.mark.parametrize("length", [100, 1_000])
def test_more_calls_than_may_be_pending_wait_their_turn(length: int) -> None:
    data = [i.to_bytes(4, "big") * (length // 4) for i in range(10 * MAX_PENDING)]
    with (
        cr.WorkerPool(2, max_pending=MAX_PENDING, ring_bytes=SMALL_RING) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        assert finish(scheduler, cr.gather(*map(calls.echo, data)), 40) == data
        assert finish(scheduler, calls.echo.map(data), 40) == data


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc tells of the memory")
def test_a_slow_consumer_of_unordered_results_holds_the_workers_back(tmp_path: Path) -> None:
    """One result a tick is taken of 4,000 that are 80 MB together, and 200 may be ahead."""
    notes = tmp_path / "notes"
    taken: list[int] = []
    ahead: list[int] = []
    resident: list[int] = []

    async def take_slowly() -> None:
        arguments = [str(notes)] * 4_000, range(4_000), [20_000] * 4_000
        async for data in calls.note_and_swell.map_unordered(*arguments):
            taken.append(int.from_bytes(data[:4], "big"))
            ahead.append(notes.stat().st_size - len(taken))
            resident.append(resident_bytes())
            await cr.checkpoint()

    with (
        cr.WorkerPool(2, max_pending=MAX_PENDING, max_batch=50) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        finish(scheduler, take_slowly(), 50)
    assert sorted(taken) == list(range(4_000))
    assert max(ahead) <= MAX_PENDING
    assert max(resident) - resident[2 * MAX_PENDING] < 8 * MEGABYTE


@pytest.mark.parametrize("length", [6_000, 100_000, 3_000_000, 20_000_000])
def test_calls_and_results_larger_than_the_ring_go_there_and_back(length: int) -> None:
    data = os.urandom(length)
    with cr.WorkerPool(2, ring_bytes=SMALL_RING) as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(2):  # the second one knows how large the results are
            assert finish(scheduler, calls.echo(data)) == data
        assert finish(scheduler, calls.backwards(data)) == data[::-1]
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


def test_many_large_calls_wait_their_turn_in_little_memory() -> None:
    data = [i.to_bytes(4, "big") * (MEGABYTE // 4) for i in range(60)]
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.echo.map(data), 40) == data
        assert finish(scheduler, cr.gather(*map(calls.echo, data)), 40) == data
        [ring] = Path(pool.address).glob("*.ring")
        assert ring.stat().st_size <= 24 * MEGABYTE


@pytest.mark.parametrize(
    ("call", "short", "long", "error"),
    [
        (calls.swell, 10, 20_000, cr.ReplyTooLarge),
        (calls.length_of, bytes(10), bytes(20_000), cr.RequestTooLarge),
    ],
)
def test_a_message_above_the_limit_fails_its_call_alone_and_names_the_option(
    call: Any, short: Any, long: Any, error: type[Exception]
) -> None:
    async def one(argument: Any) -> object:
        try:
            return await call(argument)
        except error as refusal:
            return str(refusal)

    with cr.WorkerPool(1, max_message_bytes=10_000) as pool, cr.Scheduler(pool) as scheduler:
        _, message, _ = finish(scheduler, cr.gather(one(short), one(long), one(short)))
    limit = r"the limit is 10000; \w+ less, or raise WorkerPool\(max_message_bytes=\.\.\.\)"
    assert re.fullmatch(
        rf".*worker_calls:{call.name.split(':')[1]} takes? 200\d\d bytes, {limit}", message
    )


def let_pass(seconds: float) -> None:
    """Spin: a sleep would make every gap the same."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "trips", [pytest.param(2_000, id="quick"), pytest.param(20_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("workers", [1, 2])
def test_every_call_sent_after_a_random_gap_comes_back(workers: int, trips: int) -> None:
    """Gaps from nothing to some hundred microseconds: about to park, parking, parked."""
    random = Random(workers)
    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:
        for i in range(trips):
            let_pass(random.random() ** 4 * 0.0008)
            assert scheduler.run(calls.double(i)) == 2 * i
