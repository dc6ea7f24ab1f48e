"""Ticks and their pace: what makes one comparison of ticks differ from the next."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import fmean
from time import perf_counter_ns
from typing import Any, NamedTuple

from .contestants import Contestants
from .core import COROUTINES, timed_us
from .empty_work import Leaf, number, path, plain_number, plain_path
from .peers_by_hand import HandPool

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
    """What the calls of a tick give, and who gives it."""

    name: str
    leaf: Leaf
    function: Callable[[int], object]
    by_hand: Callable[[Contestants], HandPool[Any]]


BACK_TO_BACK = Pace("back to back", 10, 0.0)
PACED = Pace("20 ms between", 5, 0.02)
NUMBERS = Results("numbers", number, plain_number, lambda contestants: contestants.numbers_by_hand)
PATHS = Results("paths", path, plain_path, lambda contestants: contestants.paths_by_hand)


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


async def block_in_trio_us(pace: Pace, tick: AsyncTick) -> float:
    """The same for a tick that trio runs."""
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
