"""Samples of candidates that take turns, and the interval in which another run would fall.

Rounds of one launch share its processes and their placement on cores, so every launch starts all
processes anew (as pyperf does), and the bootstrap resamples launches first.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from statistics import NormalDist, median
from typing import TypeAlias

import msgspec

RESAMPLES = 1_000
CONFIDENCE = 0.95

Candidate: TypeAlias = Callable[[], float | Mapping[str, float]]
Candidates: TypeAlias = Mapping[str, Candidate]
Rounds: TypeAlias = list[list[float]]  # by launch, then by round
Samples: TypeAlias = dict[str, Rounds]
Statistic: TypeAlias = Callable[[Sequence[float], Sequence[float]], float]


class Amount(msgspec.Struct, frozen=True):
    """How often processes start anew, and how often each candidate runs in each launch."""

    launches: int
    rounds: int


def sample_launch(
    opened: AbstractContextManager[Candidates], rounds: int, number: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Samples of every candidate in one launch.

    A candidate that returns several figures has samples under ``name: figure`` for each.
    """
    found: dict[str, list[float]] = {}
    with opened as candidates:
        if warm_up:
            for candidate in candidates.values():
                candidate()
        for name in in_turn(rounds, list(candidates), number * rounds):
            figures = candidates[name]()
            if isinstance(figures, Mapping):
                for figure, value in figures.items():
                    found.setdefault(f"{name}: {figure}", []).append(value)
            else:
                found.setdefault(name, []).append(figures)
    return found


def in_turn(rounds: int, names: Sequence[str], first: int = 0) -> Iterator[str]:
    """Every name once a round; each comes first as often, and every other round runs backwards.

    Garbage of the previous candidate is collected before each. ``first`` moves the start.
    """
    for number in range(first, first + rounds):
        start = number // 2 % len(names)
        order = [*names[start:], *names[:start]]
        for name in reversed(order) if number % 2 else order:
            gc.collect()
            yield name


def each(change: Callable[[float], float], rounds: Rounds) -> Rounds:
    """The same rounds with every value changed, to another unit for example."""
    return [[change(value) for value in launch] for launch in rounds]


def flat(rounds: Rounds) -> list[float]:
    """All rounds of all launches."""
    return [value for launch in rounds for value in launch]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours over the median of theirs."""
    return median(ours) / median(theirs)


def times_as_fast(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over the median of ours."""
    return median(theirs) / median(ours)


def own_median(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours."""
    return median(ours)


def interval(statistic: Statistic, ours: Rounds, theirs: Rounds) -> tuple[float, float] | None:
    """Where another run like this one would find the statistic, 95 times in 100.

    A bootstrap over launches, then over the rounds of each; a round is drawn with both of its
    sides, since a disturbance hits both. The spread is widened by Student's t for the number of
    launches, and by the root of two, as the other run scatters as much as this one. Rounds stand
    in for launches where there is a single launch; a single sample has no interval.
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
    from scipy.special import stdtrit  # takes half a second to import

    free = launches - 1
    share = (1 + CONFIDENCE) / 2
    times = float(stdtrit(free, share)) / NormalDist().inv_cdf(share)
    return times * math.sqrt(2 * launches / free)
