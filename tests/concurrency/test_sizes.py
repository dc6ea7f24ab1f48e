"""Large replies, large requests, small rings: through real workers."""

from __future__ import annotations

import pytest
import worker_calls as calls
from waiting import finish

import corororo as cr

pytestmark = pytest.mark.timeout(60)


def test_five_hundred_results_of_forty_kilobytes_arrive_whole() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        values = finish(scheduler, calls.swell.map([40_000 + i for i in range(500)]))
        assert [len(value) for value in values] == [40_000 + i for i in range(500)]
        assert set(b"".join(values)) == {ord("x")}
        assert scheduler._transfer.statistics().spilled_replies > 0


def test_a_result_larger_than_the_ring_is_refused_unless_that_was_asked_for() -> None:
    with (
        cr.WorkerPool(1, ring_bytes=1 << 14) as pool,
        cr.Scheduler(pool) as scheduler,
        pytest.raises(cr.ReplyTooLarge, match=r"swell takes 5\d+ bytes.*16384.*ring_bytes"),
    ):
        finish(scheduler, calls.swell(5_000_000))
    with (
        cr.WorkerPool(1, ring_bytes=1 << 14, max_reply_bytes=6_000_000) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        assert len(finish(scheduler, calls.swell(5_000_000))) == 5_000_000


def test_a_result_above_the_limit_fails_alone_and_names_the_option() -> None:
    with (
        cr.WorkerPool(1, max_reply_bytes=10_000) as pool,
        cr.Scheduler(pool) as scheduler,
    ):

        async def main() -> list[object]:
            async def one(length: int) -> object:
                try:
                    return len(await calls.swell(length))
                except cr.ReplyTooLarge as error:
                    return str(error)

            return await cr.gather(one(10), one(20_000), one(30))

        first, message, third = finish(scheduler, main())
        assert (first, third) == (10, 30)
        for part in ("worker_calls:swell", "20", "10000", "max_reply_bytes"):
            assert part in message


def test_arguments_above_the_ring_fail_alone_and_name_the_option() -> None:
    with cr.WorkerPool(1, ring_bytes=1 << 14) as pool, cr.Scheduler(pool) as scheduler:
        with pytest.raises(cr.RequestTooLarge, match=r"length_of take 2000\d+ .*ring_bytes"):
            finish(scheduler, calls.length_of(bytes(20_000)))
        assert finish(scheduler, calls.length_of(bytes(15_000))) == 15_000


def test_a_small_ring_holds_calls_back_and_loses_none() -> None:
    with cr.WorkerPool(2, ring_bytes=1 << 14) as pool, cr.Scheduler(pool) as scheduler:
        outcomes: list[int] = []

        async def mob(i: int) -> None:
            outcomes.append(await calls.length_of(bytes(i % 700)))

        for i in range(3_000):
            scheduler.schedule(mob(i))
        report = scheduler.tick()
        assert report.async_tasks_taken == 3_000
        assert sorted(outcomes) == sorted(i % 700 for i in range(3_000))
        assert finish(scheduler, calls.double.map(range(5_000))) == [2 * i for i in range(5_000)]


def test_a_hundred_thousand_calls_come_back_in_order() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double.map(range(100_000))) == list(range(0, 200_000, 2))
