"""Ticks and their pace: what makes one comparison of ticks differ from the next."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import fmean
from time import perf_counter_ns
from typing import NamedTuple

from .core import COROUTINES, timed_us
from .empty_work import Leaf, number, path
from .peer_pools.peer import Function
from .plain_work import plain_number, plain_path

Tick = Callable[[], object]
AsyncTick = Callable[[], Awaitable[object]]


class Pace(NamedTuple):
    """How the ticks of a block follow each other.

    In a pause everybody falls asleep. Without pauses one more tick stands before those that count.
    """

    name: str
    ticks: int
    pause_s: float


class Results(NamedTuple):
    """What the calls of a tick give."""

    name: str
    leaf: Leaf
    function: Function


BACK_TO_BACK = Pace("back to back", 10, 0.0)
PACED = Pace("20 ms between", 5, 0.02)
NUMBERS = Results("numbers", number, plain_number)
PATHS = Results("paths", path, plain_path)


def tick_name(results: Results, pace: Pace) -> str:
    """How a row calls it."""
    return f"tick of {COROUTINES:,}, {results.name}, {pace.name}"


def block_us(pace: Pace, tick: Tick) -> float:
    """Microseconds of one tick in a block of them."""
    found = []
    if not pace.pause_s:
        tick()
    for _ in range(pace.ticks):
        _pause(pace)
        found.append(timed_us(tick))
    return fmean(found)


async def block_of_peer_us(pace: Pace, tick: AsyncTick) -> float:
    """The same of a tick that has to be awaited."""
    found = []
    if not pace.pause_s:
        await tick()
    for _ in range(pace.ticks):
        _pause(pace)
        began_ns = perf_counter_ns()
        await tick()
        found.append((perf_counter_ns() - began_ns) / 1_000)
    return fmean(found)


def _pause(pace: Pace) -> None:
    if pace.pause_s:
        time.sleep(pace.pause_s)
