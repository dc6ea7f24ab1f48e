"""An array of numpy there and back: by our workers, a ProcessPoolExecutor and joblib.

Each way has a process of its own, as in a program that uses it: with large blocks of memory, what
one library frees decides how long another one waits for new pages.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any, TypeAlias

import numpy as np

import corororo as cr
from zonesim.bench.isolated import run_isolated
from zonesim.bench.program import block_us, open_scheduler
from zonesim.bench.rows import Goal, Row, compared
from zonesim.bench.sampling import Candidate, Samples, flat, times_as_fast
from zonesim.bench.suite import Setting

from .by_hand import open_executor

ELEMENTS = 1 << 17  # 1 MB of float64
AT_ONCE = 20  # arrays
ALONE, TOGETHER = "an array of 1 MB there and back", f"{AT_ONCE} such arrays at once, each"
OURS, EXECUTOR, JOBLIB = "corororo", "ProcessPoolExecutor", "joblib.Parallel"
JOBLIB_OPTIONS: dict[str, dict[str, Any]] = {
    JOBLIB: {},
    f"{JOBLIB}(max_nbytes=None)": {"max_nbytes": None},  # through pipes, not through files
}
WAYS = (OURS, EXECUTOR, *JOBLIB_OPTIONS)
TRIPS, ROUNDS = 20, 8  # in a block: of one array, of many
LIMIT_S = 60.0

Way: TypeAlias = tuple[Callable[[], object], Callable[[], object]]  # one array, and some at once


@contextmanager
def open_arrays(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """One array alone, and some at once, in every way: microseconds for each."""
    ways = WAYS if importlib.util.find_spec("joblib") else (OURS, EXECUTOR)
    yield {way: partial(run_isolated, time_arrays, LIMIT_S, way, setting.workers) for way in ways}


def array_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """How many times as fast as the others; joblib in the faster of its two ways."""
    for name, goal in ((ALONE, Goal("at least", 3.0)), (TOGETHER, None)):
        found = {way: samples[key] for way in WAYS if (key := f"{way}: {name}") in samples}
        by_joblib = [found.pop(way) for way in JOBLIB_OPTIONS if way in found]
        if by_joblib:
            found[JOBLIB] = min(by_joblib, key=lambda rounds: median(flat(rounds)))
        elif goal:
            yield "joblib is not installed: its rows are missing; pip install corororo[bench]"
        ours = found.pop(OURS)
        for way, theirs in found.items():
            yield compared(
                "arrays",
                name,
                way,
                "us",
                ours,
                theirs,
                statistic=times_as_fast,
                figure_unit="times as fast",
                goal=goal,
                detail=goal is None,
            )


# -- in the process of a way


def plain_echo_array(array: np.ndarray) -> np.ndarray:
    """Return the array."""
    return array


@cr.async_task
def echo_array(array: np.ndarray) -> np.ndarray:
    """Return the array."""
    return array


def time_arrays(way: str, workers: int) -> dict[str, float]:
    """The figures of one way."""
    array = np.arange(ELEMENTS, dtype=np.float64)
    opened = {OURS: _open_ours, EXECUTOR: _open_executor}.get(way, partial(_open_joblib, way))
    with opened(workers, array) as (one, some):
        return {ALONE: block_us(one, TRIPS), TOGETHER: block_us(some, ROUNDS) / AT_ONCE}


@contextmanager
def _open_ours(workers: int, array: np.ndarray) -> Iterator[Way]:
    async def one() -> None:
        await echo_array(array)

    async def some() -> None:
        await echo_array.map([array] * AT_ONCE)

    with open_scheduler(workers) as scheduler:
        yield (lambda: scheduler.run(one())), (lambda: scheduler.run(some()))


@contextmanager
def _open_executor(workers: int, array: np.ndarray) -> Iterator[Way]:
    with open_executor(workers) as executor:
        yield (
            lambda: executor.submit(plain_echo_array, array).result(),
            lambda: list(executor.map(plain_echo_array, [array] * AT_ONCE)),
        )


@contextmanager
def _open_joblib(way: str, workers: int, array: np.ndarray) -> Iterator[Way]:
    library: Any = importlib.import_module("joblib")
    call = library.delayed(plain_echo_array)(array)
    with library.Parallel(n_jobs=workers, **JOBLIB_OPTIONS[way]) as parallel:
        yield partial(parallel, [call]), partial(parallel, [call] * AT_ONCE)
