"""AsyncTasks whose work is known beforehand, and those that await others. Knows no measurement."""

from __future__ import annotations

import corororo as cr
from zonesim.workloads.chains import do_work

from .empty_work import Leaf, number

BLOB = bytes(40_000)


@cr.async_task
def spin_100us(chain: int) -> int:
    """Take 100 us of a worker."""
    do_work("spin", 100_000)
    return chain


@cr.async_task
def spin_5ms(chain: int) -> int:
    """Take 5 ms of a worker."""
    do_work("spin", 5_000_000)
    return chain


@cr.async_task
async def relay(chain: int) -> int:
    """Await another AsyncTask, which then runs in the same worker."""
    return await number(chain)


@cr.async_task
async def relay_spin_100us(chain: int) -> int:
    """Await another AsyncTask that takes 100 us."""
    return await spin_100us(chain)


@cr.async_task
async def relay_often(awaits: int) -> int:
    """Await so many AsyncTasks, one after another."""
    for place in range(awaits):
        await number(place)
    return awaits


@cr.async_task
def blob(chain: int) -> bytes:
    """Give 40 KB."""
    return BLOB


@cr.async_task
def blob_in_place(chain: int) -> memoryview:
    """Give 40 KB, to be looked at where they stand."""
    return memoryview(BLOB)


async def one_after_another(leaf: Leaf, calls: int) -> None:
    """Await so many AsyncTasks, each when the one before it is back."""
    for call in range(calls):
        await leaf(call)
