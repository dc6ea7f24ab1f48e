"""Our tick beside the same calls, made by peers: batched by hand, or every call by itself.

Ours runs 1,980 coroutines; peers make the calls alone, unless they have a loop of ``send``, which
is the least that runs the coroutines as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from statistics import median
from typing import NamedTuple

import corororo as cr

from .chains import at_once, plain_task, send_chains
from .core import CHAINS, tick_chains
from .empty_work import number
from .figures import Comparison, Goal
from .launches import ratio, take_turns
from .peer_pools.by_hand import BY_HAND
from .peer_pools.executors import STANDARD
from .peer_pools.kinds import companies
from .peer_pools.ours import open_schedulers
from .peer_pools.peer import Kind, Peer
from .peer_pools.trio_workers import TRIO_PARALLEL
from .suite import Measuring, Setting
from .ticks import (
    BACK_TO_BACK,
    NUMBERS,
    PACED,
    PATHS,
    AsyncTick,
    Pace,
    Results,
    block_of_peer_us,
    block_us,
    tick_name,
)

OURS = "corororo"
LOOP_OF_SEND = "hand-made pipes, with a loop of send"
INLINE = "the same tick, Scheduler() inline"
INSTANT = "Instant: loop of send, no transfer"
CALLS = list(range(CHAINS))
SEPARATOR = " | "  # in the name of a candidate: of the row, and of who it is
FEW = 2  # ticks in a block of those who take long


class Way(NamedTuple):
    """How peers are handed the calls of a tick, and how much of their time ours may take."""

    paces: Sequence[Pace]
    who: Callable[[Kind, int], str]  # "" for those that are not handed them like that
    tick: Callable[[Peer, Results, int], AsyncTick]
    bounds: Mapping[str, float]  # by the name of the peer


def _batched(pace: Pace) -> Way:
    return Way(
        [pace],
        lambda kind, chunk: kind.batched.format(chunk=chunk),
        lambda peer, results, chunk: partial(peer.batched, results.function, CALLS, chunk),
        {STANDARD.name: 0.8, BY_HAND.name: 1.0},
    )


ONE_BY_ONE = Way(
    [pace._replace(ticks=FEW) for pace in (BACK_TO_BACK, PACED)],
    lambda kind, chunk: "" if kind is BY_HAND else kind.each,
    lambda peer, results, chunk: partial(peer.each, results.function, CALLS),
    {STANDARD.name: 1 / 40, TRIO_PARALLEL.name: 1 / 40},
)


def measure_b2b(setting: Setting) -> Measuring:
    """Ticks back to back, and peers with batches made by hand."""
    yield from _compare(setting, "b2b", _batched(BACK_TO_BACK))


def measure_paced(setting: Setting) -> Measuring:
    """The same with a pause before each tick."""
    yield from _compare(setting, "paced", _batched(PACED))


def measure_submit(setting: Setting) -> Measuring:
    """Ticks, and peers that are handed every call by itself."""
    yield from _compare(setting, "submit", ONE_BY_ONE)


def measure_added(setting: Setting) -> Measuring:
    """What an AsyncTask adds to a tick over a Task in its place."""

    @contextmanager
    def open_ticks() -> Iterator[dict[str, Callable[[], float]]]:
        with open_schedulers(setting.workers, 1) as (scheduler,):
            yield {
                "async": partial(block_us, BACK_TO_BACK, partial(tick_chains, scheduler, number)),
                "plain": partial(
                    block_us, BACK_TO_BACK, partial(tick_chains, scheduler, plain_task)
                ),
            }

    samples = yield from take_turns(setting.amount, open_ticks)
    name, against = "tick, every chain ends in an AsyncTask", "every chain ends in a plain Task"
    yield Comparison(
        "added", name, against, "us", added_us, "us more a chain", Goal("at most", 1.0)
    ).row(samples["async"], samples["plain"])


def added_us(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Microseconds that a chain takes longer, from the times of ticks."""
    return (median(ours) - median(theirs)) / CHAINS


def _compare(setting: Setting, group: str, way: Way) -> Measuring:
    chunk = -(-CHAINS // setting.workers)
    for kinds in companies(setting.workers):
        bounds = {way.who(kind, chunk): way.bounds.get(kind.name) for kind in kinds}
        bounds[LOOP_OF_SEND] = 1.0
        samples = yield from take_turns(
            setting.amount, partial(_open_ticks, setting.workers, chunk, way, kinds)
        )
        for candidate, theirs in samples.items():
            name, who = candidate.split(SEPARATOR)
            if who != OURS:
                bound = bounds.get(who)
                goal = None if bound is None else Goal("at most", bound)
                comparison = Comparison(group, name, who, "us", ratio, goal=goal)
                yield comparison.row(samples[name + SEPARATOR + OURS], theirs)


@contextmanager
def _open_ticks(
    workers: int, chunk: int, way: Way, kinds: Sequence[Kind]
) -> Iterator[dict[str, Callable[[], float]]]:
    """Our tick of each kind, and behind it those of the peers."""
    with ExitStack() as stack:
        (scheduler,) = stack.enter_context(open_schedulers(workers, 1))
        inline = stack.enter_context(cr.Scheduler())
        peers = {
            kind: stack.enter_context(kind.open(workers)) for kind in kinds if way.who(kind, chunk)
        }
        candidates: dict[str, Callable[[], float]] = {}
        for results, pace in product((NUMBERS, PATHS), way.paces):
            row = tick_name(results, pace) + SEPARATOR
            tick = partial(tick_chains, scheduler, results.leaf)
            candidates[row + OURS] = partial(block_us, pace, tick)
            for kind, peer in peers.items():
                block = partial(block_of_peer_us, pace, way.tick(peer, results, chunk))
                candidates[row + way.who(kind, chunk)] = partial(peer.run, block)
            if BY_HAND in peers:
                batched = partial(_ask, peers[BY_HAND], results, chunk)
                candidates[row + LOOP_OF_SEND] = partial(
                    block_us, pace, partial(send_chains, batched)
                )
                alike = partial(tick_chains, inline, results.leaf)
                candidates[row + INLINE] = partial(block_us, pace, alike)
                candidates[row + INSTANT] = partial(block_us, pace, partial(send_chains, at_once))
        yield candidates


def _ask(peer: Peer, results: Results, chunk: int, calls: list[int]) -> Sequence[object]:
    return peer.run(partial(peer.batched, results.function, calls, chunk))
