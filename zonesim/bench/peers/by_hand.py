"""The same tick by hand: asyncio Tasks whose calls are collected and sent in one go."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import msgspec

from zonesim.bench.children import Child, end_with_parent, server
from zonesim.bench.program import CALLS, CHAINS, Call, Path, first, path_of_call, plain_echo

Send = Callable[[list[Call]], Sequence[Path]]
BATCH = 64  # calls in one message through a pipe
End: TypeAlias = "Connection[Any, Any]"


class HandMadeLoop:
    """An asyncio loop that runs the chains; all of their calls go out together."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.new_event_loop()

    def tick(self) -> None:
        """Start every chain and run them all to their end."""
        self._loop.run_until_complete(self._tick())

    def close(self) -> None:
        """Close the loop."""
        self._loop.close()

    async def _tick(self) -> None:
        futures: list[asyncio.Future[Path]] = []
        calls: list[Call] = []

        def call(*arguments: *Call) -> asyncio.Future[Path]:
            future: asyncio.Future[Path] = self._loop.create_future()
            futures.append(future)
            calls.append(arguments)
            return future

        tasks = [self._loop.create_task(first(call, entity)) for entity in range(CHAINS)]
        await asyncio.sleep(0)  # every chain runs up to its call
        for future, path in zip(futures, self._send(calls), strict=True):
            future.set_result(path)
        await asyncio.gather(*tasks)


@types.coroutine
def ask_driver(*call: *Call) -> Generator[Call, Path, Path]:
    """Stand at the end of a chain and ask its driver for the path."""
    return (yield call)


def drive_by_send(send: Send) -> None:
    """Run the chains in a bare loop of ``send``: no scheduler, only what Python itself takes."""
    chains = [first(ask_driver, entity) for entity in range(CHAINS)]
    for chain, path in zip(chains, send([chain.send(None) for chain in chains]), strict=True):
        try:
            chain.send(path)
        except StopIteration:
            continue


class Pipes:
    """Workers on a pipe each that run one function; msgspec encodes calls and results."""

    def __init__(
        self, workers: int, function: Callable[[Any], object], call: object, result: object
    ) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(types.GenericAlias(list, (result,))).decode
        self._ends: list[End] = []
        with ExitStack() as undo:
            for _ in range(workers):
                ours, theirs = server().Pipe()
                self._ends.append(undo.enter_context(ours))
                with theirs:
                    undo.push(closing(Child(_serve, theirs, function, call)))
            self._parts = undo.pop_all()

    def send(self, calls: Sequence[Any]) -> list[Any]:
        """The results of calls, all of which are out before the first reply is read.

        Both must fit into what pipes hold.
        """
        return self._exchange(calls, BATCH, len(calls))

    def map(self, calls: Sequence[Any], chunk: int) -> list[Any]:
        """The results of any number of calls; each worker has one chunk at a time."""
        return self._exchange(calls, chunk, chunk * len(self._ends))

    def close(self) -> None:
        """End the workers."""
        self._parts.close()

    def _exchange(self, calls: Sequence[Any], chunk: int, at_once: int) -> list[Any]:
        ends, results = self._ends, []
        for begin in range(0, len(calls), at_once):
            starts = range(begin, min(begin + at_once, len(calls)), chunk)
            for place, start in enumerate(starts):
                ends[place % len(ends)].send_bytes(self._encode(calls[start : start + chunk]))
            for place in range(len(starts)):
                results += self._decode(ends[place % len(ends)].recv_bytes())
        return results


@contextmanager
def open_executor(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A ProcessPoolExecutor whose workers have started."""
    with ProcessPoolExecutor(workers, mp_context=server(), initializer=end_with_parent) as executor:
        list(executor.map(plain_echo, range(workers)))
        yield executor


@contextmanager
def open_ticks_by_hand(workers: int) -> Iterator[dict[str, Callable[[], None]]]:
    """The tick over ProcessPoolExecutor.map, over pipes, and without any scheduler over pipes."""
    chunk = -(-CHAINS // workers)
    with ExitStack() as stack:
        executor = stack.enter_context(open_executor(workers))
        pipes = stack.enter_context(closing(Pipes(workers, path_of_call, Call, Path)))
        by_map = HandMadeLoop(
            lambda calls: list(executor.map(path_of_call, calls, chunksize=chunk))
        )
        by_pipes = HandMadeLoop(pipes.send)
        stack.callback(by_map.close)
        stack.callback(by_pipes.close)
        yield {
            "asyncio + ProcessPoolExecutor.map": by_map.tick,
            "asyncio + pipes": by_pipes.tick,
            "the limit": lambda: drive_by_send(pipes.send),
        }


def submit_each(executor: ProcessPoolExecutor) -> list[Path]:
    """The calls of a tick, each submitted by itself."""
    futures = [executor.submit(path_of_call, call) for call in CALLS]
    return [future.result() for future in futures]


# -- in a worker


def _serve(end: End, function: Callable[[Any], object], call: object) -> None:
    decode = msgspec.msgpack.Decoder(types.GenericAlias(list, (call,))).decode
    encode = msgspec.msgpack.Encoder().encode
    while True:
        end.send_bytes(encode([function(one) for one in decode(end.recv_bytes())]))
