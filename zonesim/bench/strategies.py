"""The idle strategies of workers, each measured on workers of its own. Knows no situations.

Workers that spin disturb everybody, so no two strategies have workers at the same time: every
round of each starts its own, warms them up, and ends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import corororo as cr
from corororo.abc import IdleStrategy
from zonesim.system.operating_system import cpus_to_hold, hold_to_cpus

from .core import open_zone
from .empty_work import fourth, number
from .figures import Comparison, Goal, Row, alone
from .launches import Amount, Figures, Turns, one_of, ratio, take_turns

PARK, PARK_AGAIN, ADAPTIVE, BACKOFF = "Park", "Park again", "AdaptiveSpin", "Backoff"
YIELDING, BUSY_SPIN = "Yielding", "BusySpin"
STRATEGIES: dict[str, Callable[[], IdleStrategy]] = {
    PARK: cr.Park,
    PARK_AGAIN: cr.Park,  # what a ratio of equals looks like
    ADAPTIVE: cr.AdaptiveSpin,
    BACKOFF: cr.Backoff,
    YIELDING: cr.Yielding,
    BUSY_SPIN: cr.BusySpin,
}
WARM_UP_CALLS = 30


def take_turns_by_strategy(
    names: Iterable[str],
    amount: Amount,
    measure: Callable[[cr.Scheduler], Figures],
    workers: int,
    zone_cpu: int | None = None,
    worker_cpu: int | None = None,
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Turns[dict[str, list[list[Figures]]]]:
    """What ``measure`` finds with workers of each of these strategies, ``around`` each launch."""

    def one(strategy: Callable[[], IdleStrategy]) -> Figures:
        pin = None if worker_cpu is None else [worker_cpu]
        # Pinned last: what is started from a pinned thread is pinned, too.
        with open_zone(workers, strategy(), pin) as zone, pinned(zone_cpu):
            for _ in range(WARM_UP_CALLS):  # every import is done, and every strategy at home
                zone.run(fourth(number, 1))
            return measure(zone)

    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], Figures]]]:
        with around():
            yield {name: partial(one, STRATEGIES[name]) for name in names}

    return (yield from take_turns(amount, opened, warm_up=False))


def rows(
    group: str,
    figure: str,
    samples: Mapping[str, list[list[Figures]]],
    goal: Goal | None = None,
) -> Iterator[Row]:
    """One figure of all strategies: Park's own, and the others over Park's; AdaptiveSpin's goal."""
    park = one_of(samples[PARK], figure)
    yield alone(group, f"{figure}: {PARK}", "us", park)
    for name, rounds in samples.items():
        if name != PARK:
            its_goal = goal if name == ADAPTIVE else None
            comparison = Comparison(group, f"{figure}: {name}", PARK, "us", ratio, goal=its_goal)
            yield comparison.row(one_of(rounds, figure), park)


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Hold this thread on one CPU, if one is given."""
    if cpu is None:
        yield
        return
    usable = cpus_to_hold()
    hold_to_cpus([cpu])
    try:
        yield
    finally:
        hold_to_cpus(usable)
