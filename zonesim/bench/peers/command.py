"""`zonesim bench peers`: the same program by hand, and other ways to make the calls."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from statistics import median
from typing import Any

import trio

from zonesim.bench.program import (
    CALLS,
    block_us,
    echo,
    find_path,
    open_scheduler,
    path_of_call,
    plain_echo,
    tick_chains,
)
from zonesim.bench.rows import Goal, Row, compared
from zonesim.bench.sampling import Amount, Candidate, Samples, flat, times_as_fast
from zonesim.bench.suite import Group, Setting, Suite

from .arrays import array_rows, open_arrays
from .by_hand import Pipes, open_executor, open_ticks_by_hand, submit_each
from .fleet import FLEET
from .instructions import open_instructions
from .outside import open_outside, outside_rows
from .prototype import Prototype
from .zones import CPU, PROTOTYPE, ROUND, open_zones, run_trio

OURS = "corororo"


# -- the same program by hand

PACES = {  # ticks in a block, and the pause before each in seconds
    "back to back": (10, 0.0),
    "20 ms apart": (5, 0.02),
    "after 400 ms idle": (2, 0.4),
}
BY_MAP, BY_PIPES = "asyncio + ProcessPoolExecutor.map", "asyncio + pipes"
LIMIT, PROTOTYPE_TICK = "the limit", "the prototype"
GOALS = {  # at most, by the other way and the pace; None: no goal, but worth knowing
    (BY_MAP, "back to back"): 0.28,
    (BY_MAP, "20 ms apart"): 0.38,
    (BY_MAP, "after 400 ms idle"): None,
    (BY_PIPES, "back to back"): None,
    (BY_PIPES, "20 ms apart"): None,
    (BY_PIPES, "after 400 ms idle"): None,
    (PROTOTYPE_TICK, "back to back"): 1.3,
    (PROTOTYPE_TICK, "20 ms apart"): 1.3,
    (PROTOTYPE_TICK, "after 400 ms idle"): 1.3,
    (LIMIT, "back to back"): 1.2,
    (LIMIT, "20 ms apart"): 1.2,
    (LIMIT, "after 400 ms idle"): 1.2,
}


@contextmanager
def open_ticks(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """The tick in every way at every pace: microseconds."""
    with ExitStack() as stack:
        scheduler = stack.enter_context(open_scheduler(setting.workers))
        prototype = stack.enter_context(closing(Prototype(setting.workers)))
        ticks = stack.enter_context(open_ticks_by_hand(setting.workers))
        ticks |= {
            OURS: partial(tick_chains, scheduler, find_path),
            PROTOTYPE_TICK: prototype.tick,
        }
        yield {
            f"{way}, {pace}": partial(block_us, tick, *PACES[pace])
            for pace in PACES
            for way, tick in ticks.items()
            if way == OURS or (way, pace) in GOALS
        }


def is_detail(way: str, pace: str) -> bool:
    """Whether only --verbose shows the row."""
    return way == BY_PIPES and pace == "after 400 ms idle"


def tick_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """Our tick over that of every other way."""
    for (way, pace), bound in GOALS.items():
        goal = None if bound is None else Goal("at most", bound)
        ours, theirs = samples[f"{OURS}, {pace}"], samples[f"{way}, {pace}"]
        name = f"a tick, {pace}"
        detail = is_detail(way, pace)
        yield compared("hand", name, way, "us", ours, theirs, goal=goal, detail=detail)
    yield (
        f"by hand: asyncio Tasks whose calls are collected and sent in one go, by "
        f"ProcessPoolExecutor.map in {setting.workers} chunks, or by pipes and msgspec in batches; "
        "the limit: a bare loop of send over the same chains, and those pipes; the prototype: "
        "batches in shared memory, without scheduler, checks and recovery"
    )


# -- every call by itself, and one alone

SUBMIT, TRIO_PARALLEL = "ProcessPoolExecutor.submit per call", "trio_parallel.run_sync per call"
ONE, SUBMIT_ONE = "one AsyncTask, there and back", "submit().result()"
FEW = 2  # ticks in a block
CALLS_ALONE = 50


@contextmanager
def open_calls(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """Our tick, and its calls one by one; one call alone, there and back: microseconds."""
    with (
        open_scheduler(setting.workers) as scheduler,
        open_executor(setting.workers) as executor,
    ):
        found: dict[str, Candidate] = {
            OURS: partial(block_us, partial(tick_chains, scheduler, find_path), 10),
            SUBMIT: partial(block_us, partial(submit_each, executor), FEW),
            ONE: partial(block_us, lambda: scheduler.run(_call()), CALLS_ALONE),
            SUBMIT_ONE: partial(
                block_us, lambda: executor.submit(plain_echo, 1).result(), CALLS_ALONE
            ),
        }
        if importlib.util.find_spec("trio_parallel"):
            found[TRIO_PARALLEL] = partial(run_trio, _run_sync_each_us, setting.workers)
        yield found


async def _call() -> int:
    return await echo(1)


async def _run_sync_each_us(workers: int) -> float:
    library: Any = importlib.import_module("trio_parallel")
    limiter = trio.CapacityLimiter(workers)
    async with library.open_worker_context(idle_timeout=math.inf) as context:
        run_sync = partial(context.run_sync, path_of_call, limiter=limiter)
        return median([await _tick_us(run_sync) for _ in range(1 + FEW)][1:])


async def _tick_us(run_sync: Any) -> float:  # noqa: ANN401 - of a library without types
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for call in CALLS:
            nursery.start_soon(run_sync, call)
    return (trio.current_time() - began_s) * 1e6


def call_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """Our tick over its calls one by one, and one call over one."""
    for way in (SUBMIT, TRIO_PARALLEL):
        if way in samples:
            name, goal = "a tick, back to back", Goal("at most", 1 / 40)
            yield compared("calls", name, way, "us", samples[OURS], samples[way], goal=goal)
        else:
            yield "trio-parallel is not installed: its row is missing; pip install corororo[bench]"
    goal = Goal("at most", 0.33)
    yield compared("calls", ONE, SUBMIT_ONE, "us", samples[ONE], samples[SUBMIT_ONE], goal=goal)


# -- very many calls at once

MANY = 100_000
CHUNKS = (1_000, 5_000, 20_000)


@contextmanager
def open_map(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """Very many empty calls: milliseconds."""
    arguments = list(range(MANY))
    with ExitStack() as stack:
        scheduler = stack.enter_context(open_scheduler(setting.workers))
        executor = stack.enter_context(open_executor(setting.workers))
        pipes = stack.enter_context(closing(Pipes(setting.workers, plain_echo, int, int)))

        async def map_all() -> None:
            await echo.map(arguments)

        found: dict[str, Candidate] = {OURS: lambda: _block_ms(lambda: scheduler.run(map_all()))}
        for chunk in CHUNKS:
            by_executor = partial(_map_in_executor, executor, arguments, chunk)
            by_pipes = partial(pipes.map, arguments, chunk)
            found[f"ProcessPoolExecutor.map, chunks of {chunk:,}"] = partial(_block_ms, by_executor)
            found[f"pipes and msgspec, chunks of {chunk:,}"] = partial(_block_ms, by_pipes)
        yield found


def _map_in_executor(executor: Any, arguments: list[int], chunk: int) -> None:  # noqa: ANN401
    list(executor.map(plain_echo, arguments, chunksize=chunk))


def _block_ms(work: Any) -> float:  # noqa: ANN401 - any callable
    return block_us(work, 2) / 1_000


def map_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """How many times as fast as the best peer; the others are details."""
    others = sorted((way for way in samples if way != OURS), key=lambda w: median(flat(samples[w])))
    for place, way in enumerate(["the best peer", *others]):
        theirs = samples[others[0] if place == 0 else way]
        yield compared(
            "map",
            f"{MANY:,} empty calls by .map",
            way,
            "ms",
            samples[OURS],
            theirs,
            statistic=times_as_fast,
            figure_unit="times as fast",
            goal=Goal("at least", 1.0) if place == 0 else None,
            note=f"the best peer: {others[0]}" if place == 0 else "",
            detail=place > 0,
        )


# -- zones on one main thread


def zone_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """CPU time of a round over the prototype's; workers are other processes."""
    ours, theirs = (samples[f"{way}: {CPU}"] for way in ("ours", PROTOTYPE))
    name, goal = f"{ROUND}, CPU of the process", Goal("at most", 1.25)
    yield compared("zones", name, PROTOTYPE_TICK, "ms", ours, theirs, goal=goal)


# -- instructions


def instruction_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """Instructions of our tick over the prototype's."""
    ours, theirs = (samples[way] for way in ("ours", PROTOTYPE))
    name, goal = "a tick, instructions of its process", Goal("at most", 1.15)
    yield compared("instructions", name, PROTOTYPE_TICK, "million", ours, theirs, goal=goal)


SUITE = Suite(
    "peers",
    {
        "hand": Group(open_ticks, tick_rows, Amount(5, 6), Amount(1, 4)),
        "calls": Group(open_calls, call_rows, Amount(3, 3), Amount(1, 2)),
        "map": Group(open_map, map_rows, Amount(3, 4), Amount(1, 2)),
        "arrays": Group(open_arrays, array_rows, Amount(3, 3), Amount(1, 2), warm_up=False),
        "zones": Group(open_zones, zone_rows, Amount(4, 5), Amount(1, 3)),
        "instructions": Group(open_instructions, instruction_rows, Amount(1, 1), None, False),
        "outside": Group(open_outside, outside_rows, Amount(1, 1), None, warm_up=False),
        **FLEET,
    },
    packages=("joblib", "numpy", "trio-parallel"),
)
