"""corororo.testing: the MockClock, the inline pool and run()."""

from __future__ import annotations

import multiprocessing

import pytest

import corororo as cr
from corororo.testing import MockClock, inline_pool, run


@cr.async_task
def double(x: int) -> int:
    return 2 * x


def test_a_mock_clock_moves_by_jumps_alone() -> None:
    clock = MockClock(start=2.5)
    assert (clock.now(), clock.now_ns()) == (2.5, 2_500_000_000)
    clock.jump(0.1)
    clock.jump(0)
    assert clock.now_ns() == 2_600_000_000


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_mock_clock_never_goes_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="forward only"):
        MockClock().jump(seconds)


def test_a_run_jumps_over_sleeps() -> None:
    clock = MockClock()

    async def main() -> str:
        await cr.sleep(3600)
        with cr.move_on_after(86400):
            await cr.sleep(10**9)
        return "a day and an hour later"

    assert run(main(), clock=clock) == "a day and an hour later"
    assert clock.now() == 90000


def test_a_run_takes_coroutines_and_callables_and_raises_what_they_raise() -> None:
    async def fails() -> None:
        raise LookupError(await double(2))

    assert run(double(3)) == 6
    assert run(lambda: double(4)) == 8
    with pytest.raises(LookupError, match="4"):
        run(fails)


def test_an_inline_pool_starts_no_process_and_keeps_the_order() -> None:
    ran: list[int] = []

    async def main() -> list[int]:
        return await double.map(range(5))

    with inline_pool() as pool, cr.Scheduler(pool) as scheduler:
        assert scheduler.run(main()) == [0, 2, 4, 6, 8]
        assert multiprocessing.active_children() == []
        scheduler.schedule(lambda: ran.append(1))
        scheduler.tick()
    assert ran == [1]
