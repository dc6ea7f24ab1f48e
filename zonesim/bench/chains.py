"""The tick that all figures speak of, run in other ways than ``tick`` does. Measures nothing."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Sequence

import trio

import corororo as cr

from .core import CHAINS
from .empty_work import first, number


async def plain_task(chain: int) -> int:
    """Stand at the end of a chain where no AsyncTask does."""
    return chain


@types.coroutine
def ask_driver(chain: int) -> Generator[int, object, object]:
    """Stand there and ask whoever drives this coroutine for the result."""
    return (yield chain)


def send_chains(answer: Callable[[list[int]], Sequence[object]]) -> list[object]:
    """Start every chain in a bare loop of ``send``, get all answers at once, and resume them."""
    started = [first(ask_driver, chain) for chain in range(CHAINS)]
    answers = answer([coroutine.send(None) for coroutine in started])
    values: list[object] = []
    for coroutine, value in zip(started, answers, strict=True):
        try:
            coroutine.send(value)
        except StopIteration as stop:
            values.append(stop.value)
    return values


def at_once(chains: list[int]) -> list[int]:
    """The answers that nobody has to be asked for: what Python itself takes is left."""
    return chains


async def tick_zones(zones: list[cr.Scheduler]) -> None:
    """One tick of every zone, all of them under way together on this thread."""
    async with trio.open_nursery() as nursery:
        for zone in zones:
            nursery.start_soon(tick_zone, zone)


async def tick_zone(zone: cr.Scheduler) -> None:
    """Start every chain of one zone, and run them in one tick."""
    for chain in range(CHAINS):
        zone.schedule(first(number, chain))
    await zone.run_tick()
