"""multiprocessing.Pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.pool import Pool

from .children import end_with_parent
from .peer import Function, Kind, Outcomes, Peer, server


class PoolPeer(Peer):
    """Python's older pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def call(self, function: Function, argument: int) -> object:
        """Apply it."""
        return self._pool.apply_async(function, (argument,)).get()

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A result to wait for, for each."""
        results = [self._pool.apply_async(function, (argument,)) for argument in arguments]
        return [result.get() for result in results]

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """Its ``map``."""
        return self._pool.map(function, arguments, chunk)

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Results that may never come."""
        found = Outcomes(len(arguments))
        for place, argument in enumerate(arguments):
            self._pool.apply_async(
                function,
                (argument,),
                callback=partial(_note, found, place),
                error_callback=partial(found.note, place),
            )
        found.wait(timeout_s)
        return found


@contextmanager
def open_pool(workers: int) -> Iterator[Peer]:
    """With processes from the same server as all others."""
    with server().Pool(workers, initializer=end_with_parent) as pool:
        yield PoolPeer(pool)
        # Left with an error, it is ended by force; else nothing is under way.


POOL = Kind(
    "multiprocessing.Pool",
    open_pool,
    one="multiprocessing.Pool.apply_async().get()",
    each="multiprocessing.Pool.apply_async",
    batched="multiprocessing.Pool.map, chunks of {chunk}",
)


def _note(found: Outcomes, place: int, result: object) -> None:
    found.note(place)
