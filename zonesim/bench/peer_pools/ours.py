"""The library as its own peer's fellow: the same calls, made by Tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import corororo as cr
from zonesim.bench.empty_work import number, path
from zonesim.bench.plain_work import plain_number, plain_path
from zonesim.bench.struck_work import struck

from .peer import PRELOAD, Function, Kind, Outcomes, Peer, deaf_to_ctrl_c


@cr.async_task
def struck_async(argument: int) -> int:
    """Do the same as ``struck``."""
    return struck(argument)


AsyncTasks: TypeAlias = cr.AsyncTaskFunction[[int], Any]
LEAVES: dict[Function, AsyncTasks] = {
    plain_number: number,
    plain_path: path,
    struck: struck_async,
}


class OurPeer(Peer):
    """A Scheduler on a pool; a function stands for the AsyncTask that does the same."""

    def __init__(self, scheduler: cr.Scheduler) -> None:
        self._scheduler = scheduler

    async def call(self, function: Function, argument: int) -> object:
        """One Task that awaits one."""
        return self._scheduler.run(_one(LEAVES[function], argument))

    async def each(self, function: Function, arguments: Sequence[int]) -> Sequence[object]:
        """A Task for each."""
        results: list[object] = self._scheduler.run(_each(LEAVES[function], arguments))
        return results

    async def batched(
        self, function: Function, arguments: Sequence[int], chunk: int
    ) -> Sequence[object]:
        """One Task and ``map``; the library sees to the batches."""
        results: list[object] = self._scheduler.run(_map(LEAVES[function], arguments))
        return results

    async def attempt(
        self, function: Function, arguments: Sequence[int], timeout_s: float
    ) -> Outcomes:
        """Each Task fails for itself."""
        found, leaf = Outcomes(len(arguments)), LEAVES[function]

        async def run(place: int) -> None:
            try:
                await leaf(arguments[place])
            except cr.CorororoError as error:
                found.note(place, error)
            else:
                found.note(place)

        async def run_all() -> None:
            with cr.move_on_after(timeout_s):
                await cr.gather(*map(run, range(len(arguments))))

        self._scheduler.run(run_all())
        return found


@contextmanager
def open_schedulers(workers: int, count: int) -> Iterator[list[cr.Scheduler]]:
    """So many Schedulers on one new pool."""
    with ExitStack() as stack:
        with deaf_to_ctrl_c():
            pool = stack.enter_context(cr.WorkerPool(workers, rings=count, preload=PRELOAD))
        yield [stack.enter_context(cr.Scheduler(pool)) for _ in range(count)]


@contextmanager
def open_ours(workers: int) -> Iterator[Peer]:
    """One Scheduler on a new pool."""
    with open_schedulers(workers, 1) as (scheduler,):
        yield OurPeer(scheduler)


OURS = Kind("corororo", open_ours, one="one AsyncTask", each="AsyncTasks", batched="AsyncTask.map")


async def _one(leaf: AsyncTasks, argument: int) -> object:
    return await leaf(argument)


async def _each(leaf: AsyncTasks, arguments: Sequence[int]) -> list[object]:
    return list(await cr.gather(*map(leaf, arguments)))


async def _map(leaf: AsyncTasks, arguments: Sequence[int]) -> list[object]:
    return list(await leaf.map(arguments))
