"""Pipes and msgspec, made by hand: what somebody writes who wants speed and nothing else."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Generic, Self, TypeVar

import msgspec

from .peer import Function, Kind, Outcomes, Peer, deaf_to_ctrl_c
from .pipes import PipeEnd, PipeProcess, serve

R = TypeVar("R")


class HandPool(Generic[R]):
    """One function in some processes: batches go to all of them before any answer is read."""

    def __init__(self, workers: int, function: Callable[[int], R], result: object) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[memoryview], list[R]] = msgspec.msgpack.Decoder(
            types.GenericAlias(list, (result,))
        ).decode
        self._processes: list[PipeProcess] = []
        try:
            for _ in range(workers):
                self._processes.append(PipeProcess(serve, function))
        except BaseException:
            self.close()
            raise
        self._ends = [PipeEnd(p.reader, p.writer) for p in self._processes]

    def call(self, argument: int) -> R:
        """One call, in the first process."""
        return self.map([argument], 1)[0]

    def map(self, arguments: Sequence[int], chunk: int) -> list[R]:
        """All results, in order, a chunk for every process at a time."""
        results: list[R] = []
        for begin in range(0, len(arguments), chunk * len(self._ends)):
            asked = []
            for place, end in enumerate(self._ends):
                batch = arguments[begin + place * chunk : begin + (place + 1) * chunk]
                if batch:
                    end.send(self._encode(batch))
                    asked.append(end)
            for end in asked:
                results += self._decode(end.receive())
        return results

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ByHandPeer(Peer):
    """A HandPool for each function, opened when it is first asked for."""

    def __init__(self, workers: int, pools: ExitStack) -> None:
        self._workers = workers
        self._pools = pools
        self._by_function: dict[Function, HandPool[Any]] = {}

    def pool(self, function: Function) -> HandPool[Any]:
        """The processes that answer with this function."""
        if function not in self._by_function:
            result = typing.get_type_hints(function)["return"]
            with deaf_to_ctrl_c():
                pool: HandPool[Any] = HandPool(self._workers, function, result)
                self._by_function[function] = self._pools.enter_context(pool)
        return self._by_function[function]

    async def call(self, function: Function, argument: int) -> object:
        """In the first process."""
        return self.pool(function).call(argument)

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """Chunks of one."""
        return self.pool(function).map(arguments, 1)

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """A chunk for every process at a time."""
        return self.pool(function).map(arguments, chunk)

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """All or nothing: the first pipe that breaks ends it."""
        found = Outcomes(len(arguments))
        try:
            self.pool(function).map(arguments, 1)
        except (EOFError, OSError) as error:
            found.note_rest(error)
        found.note_rest()
        return found


@contextmanager
def open_by_hand(workers: int) -> Iterator[ByHandPeer]:
    """All of its pools end together."""
    with ExitStack() as pools:
        yield ByHandPeer(workers, pools)


BY_HAND = Kind(
    "pipes by hand",
    open_by_hand,
    one="hand-made pipes and msgspec",
    each="hand-made pipes, batches of 1",
    batched="hand-made pipes, batches of {chunk}",
)
