"""Work that is empty, so that only its scheduling is left to measure. Knows no measurement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import corororo as cr

Path: TypeAlias = list[tuple[float, float]]
Leaf: TypeAlias = Callable[[int], Awaitable[object]]


def plain_number(chain: int) -> int:
    """Return what it was given."""
    return chain


def plain_path(chain: int) -> Path:
    """Return a path of five waypoints."""
    x = chain + 0.5
    return [(x, 0.0), (x, 1.0), (x, 2.0), (x, 3.0), (x, 4.0)]


@cr.async_task
def number(chain: int) -> int:
    """Give the same as ``plain_number``."""
    return chain


@cr.async_task
def path(chain: int) -> Path:
    """Give the same as ``plain_path``."""
    return plain_path(chain)


async def first(leaf: Leaf, chain: int) -> object:
    """Begin a chain of four Tasks and one AsyncTask, the ``leaf``."""
    return await second(leaf, chain)


async def second(leaf: Leaf, chain: int) -> object:
    """Go on with it."""
    return await third(leaf, chain)


async def third(leaf: Leaf, chain: int) -> object:
    """Go on with it."""
    return await fourth(leaf, chain)


async def fourth(leaf: Leaf, chain: int) -> object:
    """End it with the AsyncTask."""
    return await leaf(chain)


async def empty() -> None:
    """Do nothing."""


async def await_often(awaits: int) -> None:
    """Await so many of those that do nothing, one after another."""
    for _ in range(awaits):
        await empty()
