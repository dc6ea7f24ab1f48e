"""Peers that come as pools: ProcessPoolExecutor, and trio-parallel where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import trio

from .core import CHAINS

TRIO_PARALLEL = "trio_parallel"


class CallRunner(Protocol):
    """What we use of the workers of trio-parallel."""

    async def run_sync(
        self, sync_fn: Callable[[int], object], *args: int, limiter: trio.CapacityLimiter
    ) -> object:
        """Run one call in one of them."""


def open_executor(workers: int) -> ProcessPoolExecutor:
    """The standard pool; its processes end with this one, however it ends."""
    context = multiprocessing.get_context("forkserver")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)


def end_with_parent() -> None:
    """In a child: leave Ctrl-C to the parent, and do not outlive it.

    A worker of the standard pool holds both ends of its queue, and would wait there for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, daemon=True).start()


def submit_each(executor: ProcessPoolExecutor, function: Callable[[int], object]) -> list[object]:
    """The calls of one tick, each submitted by itself."""
    futures = [executor.submit(function, chain) for chain in range(CHAINS)]
    return [future.result() for future in futures]


def has_trio_parallel() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec(TRIO_PARALLEL) is not None


def open_trio_parallel() -> AbstractAsyncContextManager[CallRunner]:
    """Workers of its own; only where it is installed."""
    library = importlib.import_module(TRIO_PARALLEL)
    context: AbstractAsyncContextManager[CallRunner] = library.open_worker_context()
    return context


async def run_each(
    runner: CallRunner, function: Callable[[int], object], workers: int
) -> list[object]:
    """The calls of one tick, each run by itself, on so many processes."""
    limiter = trio.CapacityLimiter(workers)
    results: list[object] = [None] * CHAINS

    async def run(chain: int) -> None:
        results[chain] = await runner.run_sync(function, chain, limiter=limiter)

    async with trio.open_nursery() as nursery:
        for chain in range(CHAINS):
            nursery.start_soon(run, chain)
    return results


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
