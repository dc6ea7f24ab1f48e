"""Comparisons of a tick with the same calls made by others, who have batched them by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

from .chains import at_once, plain_task, send_chains
from .contestants import Contestants
from .core import CHAINS, tick_chains
from .empty_work import number
from .rows import Comparison, Goal, Row
from .ticks import BACK_TO_BACK, NUMBERS, PACED, PATHS, Pace, Results, Tick, block_us, tick_name
from .turns import ratio, take_turns


class Peer(NamedTuple):
    """Who is compared with our tick, and how much of its time ours may take."""

    name: str
    bound: float | None
    tick: Tick


def measure_b2b(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """Ticks back to back."""
    for results in (NUMBERS, PATHS):
        yield from _compare_batched(contestants, rounds, "b2b", BACK_TO_BACK, results)


def measure_paced(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """Ticks with a pause before each."""
    for results in (NUMBERS, PATHS):
        yield from _compare_batched(contestants, rounds, "paced", PACED, results)


def measure_added(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """What an AsyncTask adds to a tick over a Task in its place."""
    scheduler = contestants.scheduler
    samples = take_turns(
        rounds,
        {
            "async": partial(block_us, BACK_TO_BACK, lambda: tick_chains(scheduler, number)),
            "plain": partial(block_us, BACK_TO_BACK, lambda: tick_chains(scheduler, plain_task)),
        },
    )
    name = "tick, every chain ends in an AsyncTask"
    goal = Goal("at most", 1.0, "us more a chain")
    comparison = Comparison("added", name, "every chain ends in a plain Task", "us", added_us, goal)
    yield comparison.row(samples["async"], samples["plain"])


def added_us(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Microseconds that a chain takes longer, from the times of ticks."""
    return (median(ours) - median(theirs)) / CHAINS


def _compare_batched(
    contestants: Contestants, rounds: int, group: str, pace: Pace, results: Results
) -> Iterator[Row]:
    scheduler = contestants.scheduler
    peers = _batched_peers(contestants, results)
    candidates = {peer.name: partial(block_us, pace, peer.tick) for peer in peers}
    ours = partial(block_us, pace, lambda: tick_chains(scheduler, results.leaf))
    samples = take_turns(rounds, {"ours": ours, **candidates})
    for peer in peers:
        goal = None if peer.bound is None else Goal("at most", peer.bound)
        comparison = Comparison(group, tick_name(results, pace), peer.name, "us", ratio, goal)
        yield comparison.row(samples["ours"], samples[peer.name])


def _batched_peers(contestants: Contestants, results: Results) -> list[Peer]:
    """The first two make the calls alone; the others run the coroutines of the tick as well."""
    executor, inline, hand = contestants.executor, contestants.inline, results.by_hand(contestants)
    chains, chunk = list(range(CHAINS)), -(-CHAINS // contestants.workers)

    def map_by_hand(arguments: list[int]) -> Sequence[object]:
        return hand.map(arguments, chunk)

    def map_executor() -> list[object]:
        return list(executor.map(results.function, chains, chunksize=chunk))

    return [
        Peer(f"ProcessPoolExecutor.map, chunks of {chunk}", 0.8, map_executor),
        Peer(f"hand-made pipes, batches of {chunk}", 1.0, lambda: map_by_hand(chains)),
        Peer("hand-made pipes, with a loop of send", 1.0, lambda: send_chains(map_by_hand)),
        Peer("the same tick, Scheduler() inline", None, lambda: tick_chains(inline, results.leaf)),
        Peer("Instant: loop of send, no transfer", None, lambda: send_chains(at_once)),
    ]
