"""What a Scheduler refuses: clear errors, and no coroutine left that nobody awaits."""

from __future__ import annotations

import asyncio

import pytest

import corororo as cr


async def nothing() -> None:
    """Ends at once."""


def test_a_task_cannot_close_the_scheduler_that_runs_it() -> None:
    scheduler = cr.Scheduler()

    async def main() -> str:
        with pytest.raises(RuntimeError, match="cannot close the scheduler that runs it"):
            scheduler.close()
        return "went on"

    assert scheduler.run(main()) == "went on"
    scheduler.close()


def test_awaiting_asyncio_where_none_runs_tells_the_remedy() -> None:
    async def main() -> None:
        await asyncio.sleep(0.01)

    with cr.Scheduler() as scheduler, pytest.raises(RuntimeError) as caught:
        scheduler.run(main())
    assert "run_in_trio" in caught.value.__notes__[0]


def test_options_for_single_calls_do_not_pile_up() -> None:
    variants = {cr.async_task(_plain).with_options(timeout=1 + i / 1000) for i in range(3)}
    assert len(variants) == 3
    base = cr.async_task(_plain)
    kept = [base.with_options(timeout=1 + i / 1000) for i in range(1000)]
    assert base.with_options(timeout=1 + 999 / 1000) is kept[-1]
    assert len(base._variants) <= 64


def _plain(x: int) -> int:
    return x
