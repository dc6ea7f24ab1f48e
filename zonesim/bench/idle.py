"""What idle strategies of workers win and cost, against Park; ``python -m`` prints it.

How to read it: every round measures all strategies in turns, each with workers of its own. Times
are medians over the rounds. `ratio` is the median of the strategy over that of Park, with its
95 % interval; `Park again` tells what a ratio of equals looks like on this machine.

"A core is free" holds where nobody waits for one: the first lines say how often somebody did,
whoever it was. The system may let zone and worker share a core even then, which makes a wake-up
cheaper than any spin; "each has a core" holds them apart, where the system pins processes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import msgspec

import corororo as cr
from corororo.abc import IdleStrategy
from zonesim.system import cpus_to_hold, usable_cpus

from .core import CHAINS, tick_chains
from .crowd import Waiting, crowd
from .empty_work import first, number
from .rounds import timed_us
from .turns import COLLECTOR, in_turn, interval, ratio

Strategy: TypeAlias = Callable[[], IdleStrategy]

STRATEGIES: dict[str, Strategy] = {
    "Park": cr.Park,
    "Park again": cr.Park,
    "BusySpin": cr.BusySpin,
    "Yielding": cr.Yielding,
    "Backoff": cr.Backoff,
    "AdaptiveSpin": cr.AdaptiveSpin,
}
GAP_S = 0.005  # between two ticks: what zones leave their workers
FREE = "a core is free"
APART = "each has a core"
CROWDED = "crowded"
ALONE = "1 AsyncTask alone, there and back"
TICK = f"tick of {CHAINS} chains, median"
MEAN = f"tick of {CHAINS} chains, mean"
WARM_UP_CALLS = 50
MARGIN = 1.05  # what a ratio of equals may come to by chance


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int = 20
    calls: int = 100  # in a round, one after another
    ticks: int = 24  # in a round, GAP_S apart


QUICK = Sizes(rounds=8, calls=60, ticks=12)


class Situation(NamedTuple):
    """What the strategies are measured in."""

    name: str
    workers: int
    busy: int = 0  # processes that want a core all the time
    zone_cpu: int | None = None
    worker_cpu: int | None = None


class Round(NamedTuple):
    """What one strategy took in one round."""

    alone_us: float
    tick_us: float
    mean_tick_us: float


class Estimate(msgspec.Struct, frozen=True):
    """A ratio, and the interval that holds the true one."""

    ratio: float
    low: float
    high: float


class Row(msgspec.Struct, frozen=True):
    """One strategy in one situation."""

    situation: str
    measured: str
    strategy: str
    us: float
    ratio: Estimate


class Verdict(msgspec.Struct, frozen=True):
    """A claim about AdaptiveSpin, and whether the figures bear it out."""

    claim: str
    ratio: Estimate
    goal: float
    holds: str  # yes, no, or unclear where the interval spans the goal


class Report(msgspec.Struct, frozen=True):
    """All figures of one run."""

    python: str
    gc: str
    cpus: int
    rounds: int
    waited: dict[str, float | None]  # by situation; None where the system does not tell
    rows: list[Row]
    verdicts: list[Verdict]


def situations(cpus: int) -> Iterator[Situation]:
    """Those that this system can have: it pins processes or it does not."""
    yield Situation(FREE, workers=1)
    held = cpus_to_hold()
    if len(held) > 1:
        yield Situation(APART, workers=1, zone_cpu=held[0], worker_cpu=held[1])
    yield Situation(CROWDED, workers=2, busy=cpus)


def measure(sizes: Sizes) -> Report:
    """Measure all strategies in all situations."""
    cpus = usable_cpus()
    waited: dict[str, float | None] = {}
    rows: list[Row] = []
    for situation in situations(cpus):
        with crowd(situation.busy), Waiting() as waiting:
            rounds = _rounds(situation, sizes)
        waited[situation.name] = waiting.share
        rows += _rows(situation.name, rounds)
    python = platform.python_version()
    return Report(python, COLLECTOR, cpus, sizes.rounds, waited, rows, judge(rows))


def measure_round(strategy: Strategy, situation: Situation, sizes: Sizes) -> Round:
    """AsyncTasks one by one, and paced ticks."""
    pin = None if situation.worker_cpu is None else [situation.worker_cpu]
    with (
        cr.WorkerPool(situation.workers, idle=strategy(), pin=pin) as pool,
        cr.Scheduler(pool) as scheduler,
        pinned(situation.zone_cpu),  # the last: what is started from here is pinned, too
    ):

        def call() -> float:
            return timed_us(lambda: scheduler.run(first(number, 1)))

        def tick() -> float:
            time.sleep(GAP_S)
            return timed_us(lambda: tick_chains(scheduler, number))

        for _ in range(WARM_UP_CALLS):  # every import is done, and every strategy at home
            call()
        alone_us = statistics.median(call() for _ in range(sizes.calls))
        ticks_us = [tick() for _ in range(sizes.ticks)]
    # The mean shows it where one tick in twenty is late.
    return Round(alone_us, statistics.median(ticks_us), statistics.fmean(ticks_us))


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Hold this thread on one CPU, if one is given."""
    if cpu is None:
        yield
        return
    usable = cpus_to_hold()
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def judge(rows: Iterable[Row]) -> list[Verdict]:
    """What the figures say of AdaptiveSpin."""
    found = {(r.situation, r.measured): r.ratio for r in rows if r.strategy == "AdaptiveSpin"}
    faster = [name for name in (FREE, APART) if (name, ALONE) in found]
    return [
        *(_verdict(f"faster than Park where {name}", found[name, ALONE], 1.0) for name in faster),
        _verdict("not slower than Park when crowded", found[CROWDED, TICK], MARGIN),
    ]


def print_report(report: Report, *, as_json: bool) -> None:
    """Write a report to standard output, as a table or as one JSON document."""
    text = msgspec.json.encode(report).decode() if as_json else "\n".join(_table(report))
    sys.stdout.write(text + "\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m zonesim.bench.idle", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="take less than half a minute")
    options = parser.parse_args()
    if usable_cpus() < 2:
        parser.error("expected 2 usable CPUs or more, one each for zone and worker; there is 1")
    print_report(measure(QUICK if options.quick else Sizes()), as_json=options.json)


def _rounds(situation: Situation, sizes: Sizes) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in STRATEGIES}
    for name in in_turn(sizes.rounds, list(STRATEGIES)):
        found[name].append(measure_round(STRATEGIES[name], situation, sizes))
    return found


def _rows(situation: str, rounds: dict[str, list[Round]]) -> Iterable[Row]:
    for place, measured in enumerate((ALONE, TICK, MEAN)):
        park_us = [values[place] for values in rounds["Park"]]
        for name, values_of_rounds in rounds.items():
            us = [values[place] for values in values_of_rounds]
            found = Estimate(ratio(us, park_us), *interval(ratio, us, park_us))
            yield Row(situation, measured, name, statistics.median(us), found)


def _verdict(claim: str, found: Estimate, goal: float) -> Verdict:
    holds = "yes" if found.high < goal else "no" if found.low >= goal else "unclear"
    return Verdict(claim, found, goal, holds)


def _table(report: Report) -> Iterable[str]:
    yield (
        f"CPython {report.python}; {report.cpus} CPUs; {report.rounds} rounds; "
        f"garbage collector {report.gc}"
    )
    for situation, waited in report.waited.items():
        share = "an unknown part" if waited is None else f"{waited:.0%}"
        yield f"{situation}: somebody waited for a core in {share} of the time"
    yield f"{'situation':<15} {'measured':<33} {'strategy':<12} {'us':>8} {'ratio':>6} {'95 %':>12}"
    for row in report.rows:
        head = f"{row.situation:<15} {row.measured:<33} {row.strategy:<12}"
        yield f"{head} {row.us:8.1f} {_text(row.ratio)}"
    for verdict in report.verdicts:
        told = f"{_text(verdict.ratio).strip()}, to stay below {verdict.goal:.2f}"
        yield f"AdaptiveSpin is {verdict.claim}: {verdict.holds} ({told})"


def _text(found: Estimate) -> str:
    return f"{found.ratio:6.2f} {found.low:4.2f} to {found.high:4.2f}"


if __name__ == "__main__":
    main()
