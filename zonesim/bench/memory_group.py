"""Memory under pressure: large results, and ticks beside a heap that the collector has to look at.

A heap of objects that only lie there is looked at once. One that changes is not: each tick puts as
many new objects there as it has coroutines, which is what sets a full collection off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import fmean

import corororo as cr

from .core import COROUTINES, mean_us, open_zone, tick_chains, timed_us
from .empty_work import Leaf, number
from .figures import Comparison, alone
from .known_work import BLOB, blob, blob_in_place
from .launches import Figures, each, one_of, ratio, take_turns
from .pattern_group import calls_in_a_tick, impact
from .suite import Measuring, Setting

RESULTS = 500
LARGE = f"{RESULTS} results of {len(BLOB) // 1_000} KB"
IN_PLACE = f"{LARGE}, read in place"
SMALL = f"{RESULTS} results that are numbers"

OBJECTS = 220_000  # with what is in them some 100 MB
TICKS = 100
SLACK_S = 0.02  # what a tick is said to leave
MEAN, WORST = "mean tick", "worst tick"
COLLECTION = "mean collection"
INSIDE, BETWEEN, NO_HEAP = "collected inside ticks", "collected between ticks", "nothing else alive"


class Thing:
    """Something that a game keeps: an object, a list and a dict."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.at = [float(name), 0.0]
        self.seen = {"when": name}


class Heap:
    """So many live objects, of which the oldest make way for new ones."""

    def __init__(self, objects: int) -> None:
        self._things = [Thing(name) for name in range(objects)]
        self._oldest = 0

    def renew(self, objects: int) -> None:
        """Put new ones in the place of the oldest."""
        for name in range(objects):
            self._things[self._oldest] = Thing(name)
            self._oldest = (self._oldest + 1) % len(self._things)


def measure_results(setting: Setting) -> Measuring:
    """Results of 40 KB, copied and in place, beside numbers."""
    samples = yield from take_turns(setting.amount, partial(_open_results, setting.workers))
    small = samples[SMALL]
    yield alone("results", SMALL, "ms", small)
    for name in (LARGE, IN_PLACE):
        comparison = Comparison("results", name, "numbers", "ms", ratio)
        yield comparison.row(samples[name], small)
    for name in (SMALL, LARGE, IN_PLACE):
        yield impact("results", name, each(lambda ms: ms * 1_000 / RESULTS, samples[name]))


def measure_heap(setting: Setting) -> Measuring:
    """The mean and the worst tick, by who collects when."""
    opened = partial(_open_no_heap, setting.workers)
    without = (yield from take_turns(setting.amount, opened))[NO_HEAP]
    samples = yield from take_turns(setting.amount, partial(_open_heap, setting.workers))
    inside, between = samples[INSIDE], samples[BETWEEN]
    for figure in (MEAN, WORST):
        yield alone("heap", f"{figure}, {NO_HEAP}", "ms", one_of(without, figure))
        yield alone("heap", f"{figure}, {INSIDE}", "ms", one_of(inside, figure))
        comparison = Comparison("heap", f"{figure}, {BETWEEN}", INSIDE, "ms", ratio)
        yield comparison.row(one_of(between, figure), one_of(inside, figure))
    yield alone("heap", COLLECTION, "ms", one_of(between, COLLECTION))
    yield (
        f"{TICKS} ticks beside {OBJECTS:,} objects, some 100 MB; {COROUTINES:,} of them are new in "
        "each tick, and their work is empty: the time of a tick is its impact"
    )


@contextmanager
def _open_results(workers: int) -> Iterator[dict[str, Callable[[], float]]]:
    with open_zone(workers) as zone:
        yield {
            name: partial(_results_ms, zone, leaf)
            for name, leaf in ((SMALL, number), (LARGE, blob), (IN_PLACE, blob_in_place))
        }


def _results_ms(zone: cr.Scheduler, leaf: Leaf) -> float:
    return mean_us(2, lambda: calls_in_a_tick(leaf, RESULTS, zone)) / 1_000


@contextmanager
def _open_no_heap(workers: int) -> Iterator[dict[str, Callable[[], Figures]]]:
    with open_zone(workers) as zone:
        few = Heap(COROUTINES)
        yield {NO_HEAP: lambda: ticks_beside(zone, few, None)}


@contextmanager
def _open_heap(workers: int) -> Iterator[dict[str, Callable[[], Figures]]]:
    with open_zone(workers) as zone:
        heap = Heap(OBJECTS)
        yield {
            INSIDE: lambda: ticks_beside(zone, heap, None),
            BETWEEN: lambda: _collected_between(zone, heap),
        }


def _collected_between(zone: cr.Scheduler, heap: Heap) -> Figures:
    with cr.SlackCollector() as collector:
        return ticks_beside(zone, heap, collector)


def ticks_beside(zone: cr.Scheduler, heap: Heap, collector: cr.SlackCollector | None) -> Figures:
    """Milliseconds of ticks in which the heap changes, and of the collections between them."""
    ticks_us, collections_us = [], []

    def tick() -> None:
        heap.renew(COROUTINES)
        tick_chains(zone, number)

    for _ in range(TICKS):
        ticks_us.append(timed_us(tick))
        if collector is not None:
            collections_us.append(timed_us(lambda: collector.collect(SLACK_S)))
    return {
        MEAN: fmean(ticks_us) / 1_000,
        WORST: max(ticks_us) / 1_000,
        COLLECTION: fmean(collections_us or [0.0]) / 1_000,
    }
