"""joblib.Parallel, whose workers are loky's."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from .children import end_with_parent
from .peer import Function, Kind, Outcomes, Peer


class JoblibPeer(Peer):
    """Loops of ``delayed`` calls."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    @cached_property
    def _joblib(self) -> Any:  # noqa: ANN401 - a module that need not be installed
        return importlib.import_module("joblib")

    async def call(self, function: Function, argument: int) -> object:
        """A loop of one."""
        return self._loop(function, [argument], 1)[0]

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A loop with batches of one."""
        return self._loop(function, arguments, 1)

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """A loop with batches of that size."""
        return self._loop(function, arguments, chunk)

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """A loop gives all of its results, or none."""
        found = Outcomes(len(arguments))
        try:
            self._loop(function, arguments, 1, timeout_s)
        except TimeoutError:
            return found
        except Exception as error:  # whatever it makes of a dead worker
            found.note_rest(error)
        found.note_rest()
        return found

    def close(self) -> None:
        """End the workers, which joblib would keep for the next loop."""
        loky = importlib.import_module("joblib.externals.loky")
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)

    def _loop(
        self,
        function: Function,
        arguments: Sequence[int],
        batch: int,
        timeout_s: float | None = None,
    ) -> Sequence[object]:
        loop = self._joblib.Parallel(
            self._workers,
            backend="loky",
            batch_size=batch,
            pre_dispatch="all",
            initializer=end_with_parent,
            timeout=timeout_s,
        )
        delayed = self._joblib.delayed(function)
        results: Sequence[object] = loop(delayed(argument) for argument in arguments)
        return results


@contextmanager
def open_joblib(workers: int) -> Iterator[Peer]:
    """Its workers, which are there when it has been opened."""
    peer = JoblibPeer(workers)
    try:
        peer.run(lambda: peer.call(int, 0))  # all of it starts with the first loop
        yield peer
    finally:
        peer.close()


JOBLIB = Kind(
    "joblib",
    open_joblib,
    one="joblib.Parallel of one call",
    each="joblib.Parallel, batches of 1",
    batched="joblib.Parallel, batches of {chunk}",
    library="joblib",
    package="joblib",
    fewest_workers=2,  # a single one is none: joblib then calls in this process
    calls_alone=5,
)
