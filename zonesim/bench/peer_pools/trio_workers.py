"""trio-parallel, whose workers live in a trio loop: a thread keeps one for them."""

from __future__ import annotations

import importlib
import math
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Protocol, TypeVar

import trio

from zonesim.bench.plain_work import run_batch

from .peer import Function, Kind, Outcomes, Peer

T = TypeVar("T")
LIBRARY = "trio_parallel"


class CallRunner(Protocol):
    """What is used of a context of workers."""

    async def run_sync(
        self,
        sync_fn: Callable[..., object],
        *args: object,
        kill_on_cancel: bool,
        limiter: trio.CapacityLimiter,
    ) -> object:
        """Run one call in one of them."""


class TrioParallelPeer(Peer):
    """What is measured of it is measured inside its loop: nobody else has to be there."""

    def __init__(self, runner: CallRunner, workers: int, token: trio.lowlevel.TrioToken) -> None:
        self._runner = runner
        self._limiter = trio.CapacityLimiter(workers)
        self._token = token

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """In the thread of the loop."""
        return trio.from_thread.run(work, trio_token=self._token)

    async def call(self, function: Function, argument: int) -> object:
        """Run it."""
        return await self._run(function, argument)

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A task for each."""
        return await self._gather([partial(self._run, function, one) for one in arguments])

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """A task for each chunk, which is one call of a function that makes many."""
        parts = await self._gather(
            [
                partial(self._run, run_batch, function, arguments[begin : begin + chunk])
                for begin in range(0, len(arguments), chunk)
            ]
        )
        return [result for part in parts for result in part]  # type: ignore[attr-defined]

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Each task fails for itself."""
        found = Outcomes(len(arguments))

        async def run(place: int) -> None:
            try:
                await self._run(function, arguments[place])
            except Exception as error:  # whatever it makes of a dead worker
                found.note(place, error)
            else:
                found.note(place)

        with trio.move_on_after(timeout_s):
            async with trio.open_nursery() as nursery:
                for place in range(len(arguments)):
                    nursery.start_soon(run, place)
        return found

    async def _run(self, function: Callable[..., object], *arguments: object) -> object:
        return await self._runner.run_sync(
            function, *arguments, kill_on_cancel=True, limiter=self._limiter
        )

    async def _gather(self, calls: Sequence[Callable[[], Awaitable[object]]]) -> list[object]:
        results: list[object] = [None] * len(calls)

        async def run(place: int) -> None:
            results[place] = await calls[place]()

        async with trio.open_nursery() as nursery:
            for place in range(len(calls)):
                nursery.start_soon(run, place)
        return results


@contextmanager
def open_trio_parallel(workers: int) -> Iterator[Peer]:
    """Its loop, and its workers with the first calls."""
    opened: queue.SimpleQueue[TrioParallelPeer | BaseException] = queue.SimpleQueue()
    done = trio.Event()
    thread = threading.Thread(target=_keep_loop, args=(workers, opened, done), daemon=True)
    peer: TrioParallelPeer | BaseException | None = None
    try:
        thread.start()
        peer = opened.get()
        if isinstance(peer, BaseException):
            raise peer
        yield peer
    finally:
        if isinstance(peer, TrioParallelPeer):
            peer.run(partial(_set, done))
        if peer is not None:
            thread.join()


def _keep_loop(
    workers: int, opened: queue.SimpleQueue[TrioParallelPeer | BaseException], done: trio.Event
) -> None:
    async def keep() -> None:
        library = importlib.import_module(LIBRARY)
        context: AbstractAsyncContextManager[CallRunner] = library.open_worker_context(
            idle_timeout=math.inf
        )
        async with context as runner:
            opened.put(TrioParallelPeer(runner, workers, trio.lowlevel.current_trio_token()))
            await done.wait()

    try:
        trio.run(keep)
    except BaseException as error:  # told to whoever waits for the peer
        opened.put(error)


async def _set(event: trio.Event) -> None:
    event.set()


TRIO_PARALLEL = Kind(
    "trio-parallel",
    open_trio_parallel,
    one="trio_parallel.run_sync",
    each="trio_parallel.run_sync",
    batched="trio_parallel.run_sync, batches of {chunk}",
    library=LIBRARY,
    package="trio-parallel",
)
