"""The tick against pools that take every call by itself. Runs under trio, as one of them does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import product

import trio

from .contestants import Contestants
from .core import tick_chains
from .peers_pooled import CallRunner, has_trio_parallel, open_trio_parallel, run_each, submit_each
from .rows import Comparison, Goal, Row
from .ticks import (
    BACK_TO_BACK,
    NUMBERS,
    PACED,
    PATHS,
    AsyncTick,
    Pace,
    Results,
    Tick,
    block_in_trio_us,
    tick_name,
)
from .turns import Samples, in_turn, ratio

OURS = "ours"
TICKS = 2  # in a block: the peers take long
PACES = (BACK_TO_BACK._replace(ticks=TICKS), PACED._replace(ticks=TICKS))
GOAL = Goal("at most", 1 / 40)


def measure_submit(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """Each kind of results at each pace, against each of the pools."""
    yield from trio.run(_measure, contestants, rounds)


async def _measure(contestants: Contestants, rounds: int) -> list[Row]:
    rows: list[Row] = []
    async with _trio_parallel() as runner:
        for results, pace in product((NUMBERS, PATHS), PACES):
            ticks = _ticks(contestants, runner, results)
            samples = await _take_turns(rounds, pace, ticks)
            rows += _rows(tick_name(results, pace), samples)
    return rows


def _rows(name: str, samples: Samples) -> Iterator[Row]:
    for peer, theirs in samples.items():
        if peer != OURS:
            comparison = Comparison("submit", name, peer, "us", ratio, GOAL)
            yield comparison.row(samples[OURS], theirs)


def _ticks(
    contestants: Contestants, runner: CallRunner | None, results: Results
) -> dict[str, AsyncTick]:
    scheduler, executor = contestants.scheduler, contestants.executor
    ticks = {
        OURS: _under_trio(lambda: tick_chains(scheduler, results.leaf)),
        "ProcessPoolExecutor.submit": _under_trio(lambda: submit_each(executor, results.function)),
    }
    if runner is not None:
        ticks["trio_parallel.run_sync"] = partial(
            run_each, runner, results.function, contestants.workers
        )
    return ticks


async def _take_turns(rounds: int, pace: Pace, ticks: Mapping[str, AsyncTick]) -> Samples:
    """``take_turns`` for those that trio runs."""
    samples: Samples = {name: [] for name in ticks}
    for tick in ticks.values():
        await tick()
    for name in in_turn(rounds, list(ticks)):
        samples[name].append(await block_in_trio_us(pace, ticks[name]))
    return samples


def _under_trio(tick: Tick) -> Callable[[], Awaitable[object]]:
    async def run() -> object:
        return tick()

    return run


@asynccontextmanager
async def _trio_parallel() -> AsyncIterator[CallRunner | None]:
    """Its workers; None where it is not installed."""
    if not has_trio_parallel():
        yield None
        return
    async with open_trio_parallel() as runner:
        yield runner
