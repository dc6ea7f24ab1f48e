"""Work that is empty, so that only its scheduling is left to measure. Knows no measurement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import corororo as cr

from .plain_work import Path as Path
from .plain_work import plain_number as plain_number
from .plain_work import plain_path as plain_path

Leaf: TypeAlias = Callable[[int], Awaitable[object]]


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
