"""Candidates that take turns, in launches, and where another run would find their figures.

Knows neither what they are nor what is done with the figures.

Rounds of one launch share its processes, and with them whatever the system decided when it placed
them; so every launch starts all processes anew (as pyperf does), and it is launches that the
bootstrap draws first. A machine's speed also drifts from minute to minute; so what measures
pauses between two launches, others have theirs, and the launches of each lie all over the run.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from statistics import NormalDist, median
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

COLLECTOR = "on, and run before each timed block"  # the state of the garbage collector
RESAMPLES = 1_000
CONFIDENCE = 0.95

Open: TypeAlias = Callable[[], AbstractContextManager[Mapping[str, Callable[[], T]]]]
Rounds: TypeAlias = list[list[float]]  # by launch, then by round
Samples: TypeAlias = dict[str, Rounds]
Figures: TypeAlias = Mapping[str, float]  # of a candidate that gives several at once
Statistic: TypeAlias = Callable[[Sequence[float], Sequence[float]], float]


class Pause(Enum):
    """Said by those who measure where no process of theirs lives: others may have their turn."""

    BEFORE_LAUNCH = 0
    BROKEN_OFF = 1  # by Ctrl-C: that launch does not count, and whoever hears of it ends the run


class OutOfTime(Exception):
    """The run ends before something had its first launch."""


# Yields pauses; the answer True says that the run ends, and the launches so far have to do.
Turns: TypeAlias = Generator[Pause, bool | None, T]


class Amount(msgspec.Struct, frozen=True):
    """How much is measured: each candidate so often in each launch."""

    launches: int
    rounds: int


def in_turn(rounds: int, names: Sequence[str], first: int = 0) -> Iterator[str]:
    """Every name once a round; each is the first as often, and every other round runs backwards.

    The garbage of whoever ran before is gone when a name comes up. ``first`` moves the start.
    """
    for number in range(first, first + rounds):
        start = number // 2 % len(names)
        order = [*names[start:], *names[:start]]
        for name in reversed(order) if number % 2 else order:
            gc.collect()
            yield name


def goes_on(launch: int) -> Turns[bool]:
    """Pause before a launch, counted from 0, and tell whether there is still time for it.

    Raises OutOfTime where the first one comes too late.
    """
    is_over = yield Pause.BEFORE_LAUNCH
    if is_over and launch == 0:
        raise OutOfTime
    return not is_over


def take_turns(
    amount: Amount, open_candidates: Open[T], *, warm_up: bool = True
) -> Turns[dict[str, list[list[T]]]]:
    """What each candidate measured, by launch and round; one more before warms it up.

    Raises OutOfTime where the run ends before the first launch.
    """
    samples: dict[str, list[list[T]]] = {}
    for launch in range(amount.launches):
        if not (yield from goes_on(launch)):
            break
        try:
            found = _launch(amount.rounds, open_candidates, launch, warm_up)
        except KeyboardInterrupt:
            if launch == 0:
                raise
            yield Pause.BROKEN_OFF
            break
        for name, values in found.items():
            samples.setdefault(name, []).append(values)
    return samples


def _launch(
    rounds: int, open_candidates: Open[T], number: int, warm_up: bool
) -> dict[str, list[T]]:
    with open_candidates() as candidates:
        values: dict[str, list[T]] = {name: [] for name in candidates}
        if warm_up:
            for candidate in candidates.values():
                candidate()
        for name in in_turn(rounds, list(candidates), number * rounds):
            values[name].append(candidates[name]())
    return values


# -- figures


def one_of(rounds: Sequence[Sequence[Figures]], name: str) -> Rounds:
    """One figure of a candidate that gives several at once."""
    return [[figures[name] for figures in launch] for launch in rounds]


def each(change: Callable[[float], float], rounds: Rounds) -> Rounds:
    """The same rounds in another unit, or with something taken off."""
    return [[change(value) for value in launch] for launch in rounds]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours over the median of theirs."""
    return median(ours) / median(theirs)


def times_as_fast(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over the median of ours."""
    return median(theirs) / median(ours)


def own_median(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours, which is compared with nobody's."""
    return median(ours)


def flat(rounds: Rounds) -> list[float]:
    """All rounds of all launches."""
    return [value for launch in rounds for value in launch]


def interval(statistic: Statistic, ours: Rounds, theirs: Rounds) -> tuple[float, float] | None:
    """Where another run like this one would find the statistic, 95 times in 100.

    A bootstrap over launches, then over the rounds of each; a round is drawn with both of its
    sides, since what disturbs one disturbs the other. The spread is widened by Student's t for
    the number of launches, and by the root of two, as the other run scatters no less than this
    one. It does not reach below zero where no draw does. Of a single launch the rounds stand for
    launches; of a single figure nothing can be said: None. The draws are the same each time.
    """
    if len(ours) == 1:
        ours, theirs = [[v] for v in ours[0]], [[v] for v in theirs[0]]
    if len(ours) == 1:
        return None
    found = sorted(_resampled(statistic, ours, theirs))
    here = statistic(flat(ours), flat(theirs))
    low, high = found[RESAMPLES * 25 // 1_000], found[RESAMPLES * 975 // 1_000 - 1]
    wider = _widening(len(ours))
    low, high = here - wider * max(here - low, 0.0), here + wider * max(high - here, 0.0)
    return max(low, 0.0) if found[0] >= 0 else low, high


def _resampled(statistic: Statistic, ours: Rounds, theirs: Rounds) -> Iterator[float]:
    draw = random.Random(1)
    launches = range(len(ours))
    for _ in range(RESAMPLES):
        our_values: list[float] = []
        their_values: list[float] = []
        for launch in draw.choices(launches, k=len(launches)):
            rounds = range(len(ours[launch]))
            for place in draw.choices(rounds, k=len(rounds)):
                our_values.append(ours[launch][place])
                their_values.append(theirs[launch][place])
        yield statistic(our_values, their_values)


def _widening(launches: int) -> float:
    """From the spread of a bootstrap over so many launches to that between two runs."""
    from scipy.special import stdtrit  # half a second, which not every bench has to wait for

    free = launches - 1
    share = (1 + CONFIDENCE) / 2
    times = float(stdtrit(free, share)) / NormalDist().inv_cdf(share)
    return times * math.sqrt(2 * launches / free)
