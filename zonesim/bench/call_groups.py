"""Comparisons of other transfers than a tick: one call alone, and very many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from time import perf_counter_ns

import msgspec

from .core import timed_us
from .empty_work import fourth, number
from .figures import Comparison, Goal, alone
from .launches import goes_on, ratio, take_turns, times_as_fast
from .peer_pools.by_hand import BY_HAND
from .peer_pools.executors import STANDARD
from .peer_pools.kinds import companies
from .peer_pools.ours import open_ours, open_schedulers
from .peer_pools.peer import Kind, Peer
from .peer_pools.pipes import Echo
from .plain_work import plain_number
from .suite import Measuring, Setting

OURS = "corororo"
ECHO = "echo"
CALLS_ALONE = 50  # after one another, in a block
CALLS = 100_000
ARGUMENTS = list(range(CALLS))
CHUNKS = (1_000, 5_000, 20_000, 50_000)  # each peer has the best of them
TRIES = 2  # of each chunk; one in a quick run
BEST = "the best size"
NO_DECODING = "32 bytes, pipes, nothing decoded"


def measure_alone(setting: Setting) -> Measuring:
    """One call there and back, and what that takes at least."""
    name = "one AsyncTask, there and back"
    for kinds in companies(setting.workers):
        opened = partial(_open_alone, setting.workers, kinds)
        samples = yield from take_turns(setting.amount, opened)
        for kind in kinds:
            goal = Goal("at most", 0.1) if kind is STANDARD else None
            comparison = Comparison("alone", name, kind.one, "us", ratio, goal=goal)
            yield comparison.row(samples[OURS], samples[kind.name])
        if ECHO in samples:
            yield alone("alone", NO_DECODING, "us", samples[ECHO])


def measure_map(setting: Setting) -> Measuring:
    """Very many calls at once."""
    name, goal = f"{CALLS:,} empty calls by .map", Goal("at least", 1.2)
    for kinds in companies(setting.workers):
        yield from goes_on(0)
        chunks = _best_chunks(setting.workers, kinds, 1 if setting.quick else TRIES)
        samples = yield from take_turns(setting.amount, partial(_open_map, setting.workers, chunks))
        for kind, chunk in chunks.items():
            who = kind.batched.format(chunk=BEST)  # which it is may change from run to run
            comparison = Comparison("map", name, who, "ms", times_as_fast, "times as fast", goal)
            row = comparison.row(samples[OURS], samples[kind.name])
            yield msgspec.structs.replace(row, note=f"their chunks: {chunk:,}")


# -- the candidates


@contextmanager
def _open_alone(workers: int, kinds: Sequence[Kind]) -> Iterator[dict[str, Callable[[], float]]]:
    with ExitStack() as stack:
        (scheduler,) = stack.enter_context(open_schedulers(workers, 1))
        found: dict[str, Callable[[], float]] = {
            OURS: lambda: _block_us(lambda: scheduler.run(fourth(number, 1)))
        }
        for kind in kinds:
            peer = stack.enter_context(kind.open(workers))
            call = partial(peer.call, plain_number, 1)
            found[kind.name] = partial(peer.run, partial(_block_of_peer_us, call, kind.calls_alone))
        if BY_HAND in kinds:
            echo = stack.enter_context(Echo())
            found[ECHO] = lambda: _block_us(echo.call)
        yield found


@contextmanager
def _open_map(workers: int, chunks: dict[Kind, int]) -> Iterator[dict[str, Callable[[], float]]]:
    with ExitStack() as stack:
        ours = stack.enter_context(open_ours(workers))
        found: dict[str, Callable[[], float]] = {OURS: partial(_map_ms, ours, 0)}
        for kind, chunk in chunks.items():
            peer = stack.enter_context(kind.open(workers))
            found[kind.name] = partial(_map_ms, peer, chunk)
        yield found


def _best_chunks(workers: int, kinds: Sequence[Kind], tries: int) -> dict[Kind, int]:
    """For each peer by itself, the chunk with the best time of some."""
    best: dict[Kind, int] = {}
    for kind in kinds:
        with kind.open(workers) as peer:
            best[kind] = min(CHUNKS, key=partial(_best_ms, peer, tries))
    return best


def _best_ms(peer: Peer, tries: int, chunk: int) -> float:
    return min(_map_ms(peer, chunk) for _ in range(tries))


def _map_ms(peer: Peer, chunk: int) -> float:
    async def timed_ms() -> float:
        began_ns = perf_counter_ns()
        await peer.batched(plain_number, ARGUMENTS, chunk)
        return (perf_counter_ns() - began_ns) / 1e6

    return peer.run(timed_ms)


def _block_us(call: Callable[[], object]) -> float:
    def calls() -> None:
        for _ in range(CALLS_ALONE):
            call()

    return timed_us(calls) / CALLS_ALONE


async def _block_of_peer_us(call: Callable[[], Awaitable[object]], calls: int) -> float:
    began_ns = perf_counter_ns()
    for _ in range(calls):
        await call()
    return (perf_counter_ns() - began_ns) / 1_000 / calls
