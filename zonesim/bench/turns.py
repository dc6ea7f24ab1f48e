"""Candidates that take turns, and how sure their ratio is. Knows nothing of what they are."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

COLLECTOR = "on, and run before each timed block"  # the state of the garbage collector
RESAMPLES = 1_000

Samples = dict[str, list[float]]
Statistic = Callable[[Sequence[float], Sequence[float]], float]


def in_turn(rounds: int, names: Sequence[str]) -> Iterator[str]:
    """Every name once a round; each is the first as often, and every other round runs backwards.

    The garbage of whoever ran before is gone when a name comes up.
    """
    for number in range(rounds):
        start = number // 2 % len(names)
        order = [*names[start:], *names[:start]]
        for name in reversed(order) if number % 2 else order:
            gc.collect()
            yield name


def take_turns(rounds: int, candidates: Mapping[str, Callable[[], float]]) -> Samples:
    """What each candidate measured, round by round; one round before them does not count."""
    samples: Samples = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate()
    for name in in_turn(rounds, list(candidates)):
        samples[name].append(candidates[name]())
    return samples


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours over the median of theirs."""
    return median(ours) / median(theirs)


def times_as_fast(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over the median of ours."""
    return median(theirs) / median(ours)


def own_median(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours, which is compared with nobody's."""
    return median(ours)


def interval(
    statistic: Statistic, ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float, float]:
    """Where the statistic lies with 95 % certainty: a bootstrap over the rounds.

    A round is drawn with both of its sides, since what disturbs one disturbs the other. The draws
    are the same each time.
    """
    draw = random.Random(1)
    rounds = range(len(ours))
    found = []
    for _ in range(RESAMPLES):
        drawn = draw.choices(rounds, k=len(rounds))
        found.append(statistic([ours[r] for r in drawn], [theirs[r] for r in drawn]))
    found.sort()
    return found[RESAMPLES * 25 // 1_000], found[RESAMPLES * 975 // 1_000 - 1]
