"""How two things are measured against each other. Knows nothing of what they are."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

COLLECTOR = "off inside a round, run between rounds"  # the state of the garbage collector

Measurement = Callable[[], float]


def medians(rounds: int, ours: Measurement, theirs: Measurement) -> tuple[float, float]:
    """The medians of two measurements that take turns, each the first in every other round."""
    found: dict[Measurement, list[float]] = {ours: [], theirs: []}
    with _collector_off():
        for number in range(rounds):
            for side in (ours, theirs) if number % 2 else (theirs, ours):
                gc.collect()
                found[side].append(side())
    return statistics.median(found[ours]), statistics.median(found[theirs])


def timed_us(work: Callable[[], object]) -> float:
    """Microseconds that one call takes."""
    began_ns = perf_counter_ns()
    work()
    return (perf_counter_ns() - began_ns) / 1_000


@contextmanager
def _collector_off() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()  # what lives now need not be looked at between rounds
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
