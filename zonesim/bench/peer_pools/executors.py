"""Pools with the interface of concurrent.futures: Python's own, and that of loky."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from concurrent.futures import ProcessPoolExecutor as StandardExecutor
from contextlib import contextmanager, suppress
from typing import Any

from .children import end_with_parent
from .peer import Function, Kind, Outcomes, Peer, server


class ExecutorPeer(Peer):
    """Any executor whose ``map`` takes a chunksize."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def call(self, function: Function, argument: int) -> object:
        """Submit it, and wait for its Future."""
        return self._executor.submit(function, argument).result()

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A Future for each."""
        futures = [self._executor.submit(function, argument) for argument in arguments]
        return [future.result() for future in futures]

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """Its ``map``."""
        return list(self._executor.map(function, arguments, chunksize=chunk))

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Futures that may fail."""
        found = Outcomes(len(arguments))
        futures: dict[Future[Any], int] = {}
        for place, argument in enumerate(arguments):
            try:
                futures[self._executor.submit(function, argument)] = place
            except BrokenExecutor as error:
                found.note(place, error)
        with suppress(TimeoutError):
            for future in as_completed(futures, timeout_s):
                found.note(futures[future], future.exception())
        return found


@contextmanager
def open_standard(workers: int) -> Iterator[Peer]:
    """Python's own."""
    with StandardExecutor(workers, mp_context=server(), initializer=end_with_parent) as executor:
        list(executor.map(int, range(workers)))  # processes and threads start with the first calls
        yield ExecutorPeer(executor)


@contextmanager
def open_loky(workers: int) -> Iterator[Peer]:
    """The executor of loky, which is not the reusable one: that is joblib's."""
    executor = importlib.import_module("loky").ProcessPoolExecutor(
        workers, initializer=end_with_parent
    )
    try:
        executor.submit(int).result()  # all of it starts with the first call
        yield ExecutorPeer(executor)
    finally:
        executor.shutdown(wait=True, kill_workers=True)


STANDARD = Kind(
    "ProcessPoolExecutor",
    open_standard,
    one="ProcessPoolExecutor.submit().result()",
    each="ProcessPoolExecutor.submit",
    batched="ProcessPoolExecutor.map, chunks of {chunk}",
)
LOKY = Kind(
    "loky",
    open_loky,
    one="loky submit().result()",
    each="loky submit",
    batched="loky map, chunks of {chunk}",
    library="loky",
    package="loky",
)
