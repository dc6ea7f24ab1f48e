"""What the scheduler adds to plain coroutines, in five comparisons; ``python -m`` prints them.

How to read it: `ours` and `theirs` are medians over rounds that take turns, in one process, with
the garbage collector off inside a round; `ratio` is ours / theirs, and is to stay below `goal`.
The two ticks need a machine that does nothing else: with one core taken, their ratio doubles.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import sys
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter_ns
from typing import NamedTuple, TypeVar

import msgspec
import trio

import corororo as cr

from .empty_work import Leaf, empty, first, number, path, plain_number, plain_path
from .instant import InstantSource
from .rounds import COLLECTOR, medians, timed_us

T = TypeVar("T")

CHAINS = 396  # of 4 Tasks and 1 AsyncTask: 1,980 coroutines, the tick that all figures speak of
COROUTINES = 5 * CHAINS
AWAITS = 20_000
CHUNK = 198  # half of the calls for each of two workers
WORKERS = 2
TICKS = 10  # back to back, in a round of the comparison with workers


class Rounds(NamedTuple):
    """How often each side of a comparison is measured."""

    awaits: int = 40
    chains: int = 150
    tasks: int = 30
    ticks: int = 60


class Row(msgspec.Struct, frozen=True):
    """One comparison."""

    name: str
    theirs_name: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    goal: float
    rounds: int


class Report(msgspec.Struct, frozen=True):
    """All comparisons of one run."""

    python: str
    gc: str
    rows: list[Row]


async def await_often(awaits: int) -> float:
    """Nanoseconds that one ``await empty()`` takes."""
    began_ns = perf_counter_ns()
    for _ in range(awaits):
        await empty()
    return (perf_counter_ns() - began_ns) / awaits


def drive(coroutine: Coroutine[object, None, T]) -> T:
    """Run a coroutine that never waits, as bare Python can."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("the coroutine waits for something")


def tick_chains(scheduler: cr.Scheduler, leaf: Leaf) -> None:
    """Start every chain, and run them in one tick."""
    for chain in range(CHAINS):
        scheduler.schedule(first(leaf, chain))
    scheduler.tick()


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


# -- the comparisons


def compare_awaits(rounds: int) -> Row:
    """Awaiting an empty coroutine inside a Task, and outside of any scheduler."""
    with cr.Scheduler() as scheduler:
        ours, theirs = medians(
            rounds,
            lambda: scheduler.run(await_often(AWAITS)),
            lambda: drive(await_often(AWAITS)),
        )
    return _row("await an empty Task", "Python's own await", "ns", ours, theirs, 1.1, rounds)


def compare_chains(rounds: int) -> Row:
    """Starting and resuming the chains of a tick on the main thread alone."""
    with cr.Scheduler(InstantSource()) as scheduler:
        ours, theirs = medians(
            rounds,
            lambda: timed_us(lambda: tick_chains(scheduler, number)),
            lambda: timed_us(send_chains),
        )
    name = f"start and resume {CHAINS} chains"
    return _row(name, "a bare loop of send", "us", ours, theirs, 1.3, rounds)


def compare_tasks(rounds: int) -> Row:
    """Starting and running empty Tasks, per Task."""
    with cr.Scheduler() as scheduler:

        def run_tasks() -> None:
            for _ in range(COROUTINES):
                scheduler.schedule(empty())
            scheduler.tick()

        ours, theirs = medians(
            rounds,
            lambda: timed_us(run_tasks) / COROUTINES,
            lambda: trio.run(_start_in_trio) / COROUTINES,
        )
    return _row("schedule an empty Task", "trio start_soon", "us", ours, theirs, 0.25, rounds)


def compare_ticks(rounds: int, leaf: Leaf, function: Callable[[int], object], results: str) -> Row:
    """A tick of 1,980 coroutines, and its calls alone, batched by hand, in the standard pool."""
    forkserver = multiprocessing.get_context("forkserver")
    with (
        cr.WorkerPool(WORKERS) as pool,
        cr.Scheduler(pool) as scheduler,
        ProcessPoolExecutor(WORKERS, mp_context=forkserver) as executor,
    ):

        def tick() -> None:
            for _ in range(TICKS):
                tick_chains(scheduler, leaf)

        def map_calls() -> None:
            for _ in range(TICKS):
                list(executor.map(function, range(CHAINS), chunksize=CHUNK))

        tick()  # every worker has imported what it needs
        map_calls()
        ours, theirs = medians(
            rounds, lambda: timed_us(tick) / TICKS, lambda: timed_us(map_calls) / TICKS
        )
    name = f"tick of {COROUTINES} coroutines, {results}"
    theirs_name = f"ProcessPoolExecutor.map, chunks of {CHUNK}"
    return _row(name, theirs_name, "us", ours, theirs, 0.8, rounds)


def measure(rounds: Rounds) -> Report:
    """Run all comparisons, one after another."""
    rows = [
        compare_awaits(rounds.awaits),
        compare_chains(rounds.chains),
        compare_tasks(rounds.tasks),
        compare_ticks(rounds.ticks, number, plain_number, "numbers"),
        compare_ticks(rounds.ticks, path, plain_path, "waypoints"),
    ]
    return Report(platform.python_version(), COLLECTOR, rows)


def print_report(report: Report, *, as_json: bool) -> None:
    """Write a report to standard output, as a table or as one JSON document."""
    text = msgspec.json.encode(report).decode() if as_json else "\n".join(_table(report))
    sys.stdout.write(text + "\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m zonesim.bench.core", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    as_json: bool = parser.parse_args().json
    print_report(measure(Rounds()), as_json=as_json)


async def _start_in_trio() -> float:
    began_ns = perf_counter_ns()
    async with trio.open_nursery() as nursery:
        for _ in range(COROUTINES):
            nursery.start_soon(empty)
    return (perf_counter_ns() - began_ns) / 1_000


def _row(
    name: str, theirs_name: str, unit: str, ours: float, theirs: float, goal: float, rounds: int
) -> Row:
    return Row(name, theirs_name, unit, ours, theirs, ours / theirs, goal, rounds)


def _table(report: Report) -> Iterable[str]:
    yield f"CPython {report.python}; garbage collector {report.gc}; medians"
    yield f"{'ours':<38} {'theirs':<38} {'ours':>9} {'theirs':>9} {'':2} {'ratio':>6} {'goal':>5}"
    for row in report.rows:
        yield (
            f"{row.name:<38} {row.theirs_name:<38} {row.ours:9.2f} {row.theirs:9.2f} "
            f"{row.unit:2} {row.ratio:6.2f} {row.goal:5.2f}"
        )


if __name__ == "__main__":
    main()
