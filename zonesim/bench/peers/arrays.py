"""An array of numpy there and back: by our workers, a ProcessPoolExecutor and joblib."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any, TypeAlias

import numpy as np

import corororo as cr
from zonesim.bench.program import block_us, open_scheduler
from zonesim.bench.rows import Goal, Row, compared
from zonesim.bench.sampling import Candidate, Samples, flat, times_as_fast
from zonesim.bench.suite import Setting

from .by_hand import open_executor

ELEMENTS = 1 << 17  # 1 MB of float64
TRIPS = 20  # in a block
AT_ONCE = 20  # arrays
Way: TypeAlias = tuple[Callable[[], object], Callable[[], object]]  # one array, and some at once
ALONE, TOGETHER = "an array of 1 MB there and back", f"{AT_ONCE} such arrays at once"
OURS, EXECUTOR, JOBLIB = "corororo", "ProcessPoolExecutor", "joblib.Parallel"
JOBLIB_OPTIONS: dict[str, dict[str, Any]] = {
    JOBLIB: {},
    f"{JOBLIB}(max_nbytes=None)": {"max_nbytes": None},  # through pipes, not through files
}


def plain_echo_array(array: np.ndarray) -> np.ndarray:
    """Return the array."""
    return array


@cr.async_task
def echo_array(array: np.ndarray) -> np.ndarray:
    """Return the array."""
    return array


@contextmanager
def open_arrays(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """One array alone, and some at once, in every way: microseconds for each."""
    array = np.arange(ELEMENTS, dtype=np.float64)
    with ExitStack() as stack:
        scheduler = stack.enter_context(open_scheduler(setting.workers))
        executor = stack.enter_context(open_executor(setting.workers))

        async def one() -> None:
            await echo_array(array)

        async def some() -> None:
            await echo_array.map([array] * AT_ONCE)

        ways: dict[str, Way] = {
            OURS: (lambda: scheduler.run(one()), lambda: scheduler.run(some())),
            EXECUTOR: (
                lambda: executor.submit(plain_echo_array, array).result(),
                lambda: list(executor.map(plain_echo_array, [array] * AT_ONCE)),
            ),
        }
        if importlib.util.find_spec("joblib"):
            ways |= stack.enter_context(_open_joblib(setting.workers, array))
        yield {
            **{f"{ALONE}, {way}": partial(block_us, ways[way][0], TRIPS) for way in ways},
            **{f"{TOGETHER}, {way}": partial(_each_us, ways[way][1]) for way in ways},
        }


def array_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """How many times as fast as the others; joblib in the faster of its two ways."""
    for name, goal in ((ALONE, Goal("at least", 3.0)), (TOGETHER, None)):
        found = {way: s for way in (OURS, EXECUTOR) if (s := samples.get(f"{name}, {way}"))}
        by_joblib = [s for way in JOBLIB_OPTIONS if (s := samples.get(f"{name}, {way}"))]
        if by_joblib:
            found[JOBLIB] = min(by_joblib, key=lambda rounds: median(flat(rounds)))
        elif goal:
            yield "joblib is not installed: its rows are missing; pip install corororo[bench]"
        for way in [way for way in found if way != OURS]:
            yield compared(
                "arrays",
                name,
                way,
                "us",
                found[OURS],
                found[way],
                statistic=times_as_fast,
                figure_unit="times as fast",
                goal=goal,
                detail=goal is None,
            )


@contextmanager
def _open_joblib(workers: int, array: np.ndarray) -> Iterator[dict[str, Way]]:
    library: Any = importlib.import_module("joblib")
    call = library.delayed(plain_echo_array)
    with ExitStack() as stack:
        found: dict[str, Way] = {}
        for way, options in JOBLIB_OPTIONS.items():
            parallel = stack.enter_context(library.Parallel(n_jobs=workers, **options))
            found[way] = (
                partial(parallel, [call(array)]),
                partial(parallel, [call(array)] * AT_ONCE),
            )
        yield found
    loky: Any = importlib.import_module("joblib.externals.loky")
    loky.get_reusable_executor().shutdown(kill_workers=True)


def _each_us(work: Callable[[], object]) -> float:
    return block_us(work, 2) / AT_ONCE
