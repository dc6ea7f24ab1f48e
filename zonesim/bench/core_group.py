"""What the scheduler adds to plain coroutines, on its own thread alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

import trio

import corororo as cr

from .core import CHAINS, COROUTINES, drive, mean_us, tick_chains, timed_us
from .empty_work import await_often, empty, first, number
from .figures import Comparison, Goal
from .instant import InstantSource
from .launches import ratio, take_turns
from .suite import Measuring, Setting

AWAITS = 20_000
TICKS = 5
COMPARED = [  # name, peer, unit, and how much of its time ours may take
    ("await an empty Task", "Python's own await", "us", 1.1),
    (f"start and resume {CHAINS} chains", "a bare loop of send", "us", 1.3),
    ("schedule an empty Task", "trio start_soon", "us", 0.25),
]


def measure_core(setting: Setting) -> Measuring:
    """Each beside what does the same without it."""
    samples = yield from take_turns(setting.amount, _open)
    for name, peer, unit, bound in COMPARED:
        comparison = Comparison("core", name, peer, unit, ratio, goal=Goal("at most", bound))
        yield comparison.row(samples[name], samples[peer])


def send_chains() -> list[object]:
    """Start and resume every chain in a bare loop of ``send``."""
    started = [first(number, chain) for chain in range(CHAINS)]
    calls = [coroutine.send(None) for coroutine in started]
    values: list[object] = []
    for coroutine, (_, arguments) in zip(started, calls, strict=True):
        try:
            coroutine.send(arguments)
        except StopIteration as stop:
            values.append(stop.value)
    return values


@contextmanager
def _open() -> Iterator[dict[str, Callable[[], float]]]:
    with cr.Scheduler() as inline, cr.Scheduler(InstantSource()) as instant:

        def schedule_all() -> None:
            for _ in range(COROUTINES):
                inline.schedule(empty())
            inline.tick()

        ours_us: list[Callable[[], float]] = [
            lambda: timed_us(lambda: inline.run(await_often(AWAITS))) / AWAITS,
            lambda: mean_us(TICKS, lambda: tick_chains(instant, number)),
            lambda: mean_us(TICKS, schedule_all) / COROUTINES,
        ]
        theirs_us: list[Callable[[], float]] = [
            lambda: timed_us(lambda: drive(await_often(AWAITS))) / AWAITS,
            lambda: mean_us(TICKS, send_chains),
            lambda: trio.run(_start_in_trio) / COROUTINES,
        ]
        named: dict[str, Callable[[], float]] = {}
        for (name, peer, _, _), ours, theirs in zip(COMPARED, ours_us, theirs_us, strict=True):
            named |= {name: ours, peer: theirs}
        yield named


async def _start_in_trio() -> float:
    began_ns = perf_counter_ns()
    async with trio.open_nursery() as nursery:
        for _ in range(COROUTINES):
            nursery.start_soon(empty)
    return (perf_counter_ns() - began_ns) / 1_000
