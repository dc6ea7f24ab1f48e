"""Idle strategies where cores are free and where they are not.

A core is free where nobody waits for one: a note says how often somebody did, whoever it was. The
system may let zone and worker share a core even then, which makes a wake-up cheaper than any
spin; "apart" holds them on cores of their own, where the system pins processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import fmean, median
from typing import NamedTuple

import corororo as cr
from corororo.processes import usable_cpus
from zonesim.system.operating_system import cpus_to_hold

from .core import CHAINS, tick_chains, timed_us
from .crowd import Waiting, crowd
from .empty_work import fourth, number
from .figures import Goal
from .launches import Figures
from .strategies import STRATEGIES, rows, take_turns_by_strategy
from .suite import Measuring, Setting

GAP_S = 0.005  # between two ticks: what zones leave their workers
FREE, APART, CROWDED = "free", "apart", "crowded"
ALONE = "1 AsyncTask alone"
TICK = f"tick of {CHAINS} chains, median"
MEAN = f"tick of {CHAINS} chains, mean"
FASTER = Goal("at most", 1.0)
NOT_SLOWER = Goal("at most", 1.05)  # what a ratio of equals may come to by chance


class Sizes(NamedTuple):
    """How much is in one round."""

    calls: int = 100  # one after another
    ticks: int = 24  # GAP_S apart


FULL, QUICK = Sizes(), Sizes(calls=30, ticks=8)


class Situation(NamedTuple):
    """What the strategies are measured in."""

    name: str
    workers: int
    goals: dict[str, Goal]  # of AdaptiveSpin, by figure
    busy: int = 0  # processes that want a core all the time
    zone_cpu: int | None = None
    worker_cpu: int | None = None


def situations(cpus: int) -> Iterator[Situation]:
    """Those that this system can have: with one CPU none is free, and it pins or it does not."""
    held = cpus_to_hold()
    if cpus > 1:
        yield Situation(FREE, 1, {ALONE: FASTER})
    if len(held) > 1:
        yield Situation(APART, 1, {ALONE: FASTER}, zone_cpu=held[0], worker_cpu=held[1])
    yield Situation(CROWDED, 2, {TICK: NOT_SLOWER}, busy=cpus)


def measure_idle(name: str, setting: Setting) -> Measuring:
    """All strategies in one situation."""
    cpus = usable_cpus()
    situation = next((found for found in situations(cpus) if found.name == name), None)
    if situation is None:
        yield f"{name!r} needs 2 CPUs, and a system that holds processes to them: skipped"
        return
    measure = partial(measure_round, QUICK if setting.quick else FULL)
    waiting = Waiting()

    @contextmanager
    def around() -> Iterator[None]:
        with crowd(situation.busy), waiting:
            yield

    samples = yield from take_turns_by_strategy(
        STRATEGIES,
        setting.amount,
        measure,
        situation.workers,
        situation.zone_cpu,
        situation.worker_cpu,
        around,
    )
    for figure in (ALONE, TICK, MEAN):
        yield from rows(name, figure, samples, situation.goals.get(figure))
    share = "an unknown part" if waiting.share is None else f"{waiting.share:.0%}"
    yield f"somebody waited for a core in {share} of the time; {situation.workers} workers"


def measure_round(sizes: Sizes, zone: cr.Scheduler) -> Figures:
    """AsyncTasks one by one, and paced ticks."""
    alone_us = median(timed_us(lambda: zone.run(fourth(number, 1))) for _ in range(sizes.calls))
    ticks_us = []
    for _ in range(sizes.ticks):
        time.sleep(GAP_S)
        ticks_us.append(timed_us(lambda: tick_chains(zone, number)))
    # The mean shows it where one tick in twenty is late.
    return {ALONE: alone_us, TICK: median(ticks_us), MEAN: fmean(ticks_us)}
