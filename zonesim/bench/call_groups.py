"""Comparisons of other transfers than a tick: one call alone, very many, very many zones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns

import trio

import corororo as cr

from .chains import tick_zones
from .contestants import Contestants
from .core import COROUTINES, timed_us
from .empty_work import fourth, number, plain_number
from .rows import Comparison, Goal, Row, floor
from .turns import in_turn, own_median, ratio, take_turns, times_as_fast

ALONE = 50  # calls after one another, in a block
CALLS = 100_000
CHUNKS = (1_000, 5_000, 20_000, 50_000)  # the peers have the best of them
ZONES = 100


def measure_alone(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """One call there and back, and what that takes at least."""
    scheduler, executor = contestants.scheduler, contestants.executor
    hand, echo = contestants.numbers_by_hand, contestants.echo
    samples = take_turns(
        rounds,
        {
            "ours": lambda: _one_us(lambda: scheduler.run(fourth(number, 1))),
            "submit": lambda: _one_us(lambda: executor.submit(plain_number, 1).result()),
            "hand": lambda: _one_us(lambda: hand.call(1)),
            "echo": lambda: _one_us(echo.call),
        },
    )
    name, against = "one AsyncTask, there and back", "ProcessPoolExecutor.submit().result()"
    comparison = Comparison("alone", name, against, "us", ratio, Goal("at most", 0.1))
    yield comparison.row(samples["ours"], samples["submit"])
    yield floor("alone", "one call, hand-made pipes and msgspec", "us", samples["hand"])
    yield floor("alone", "32 bytes, pipes, nothing decoded", "us", samples["echo"])


def measure_map(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """Very many calls at once."""
    scheduler, executor = contestants.scheduler, contestants.executor
    hand, arguments = contestants.numbers_by_hand, list(range(CALLS))

    def map_executor(chunk: int) -> float:
        return _ms(lambda: list(executor.map(plain_number, arguments, chunksize=chunk)))

    def map_by_hand(chunk: int) -> float:
        return _ms(lambda: hand.map(arguments, chunk))

    executor_chunk, hand_chunk = _best_chunk(map_executor), _best_chunk(map_by_hand)
    samples = take_turns(
        rounds,
        {
            "ours": lambda: _ms(lambda: scheduler.run(_map_all(arguments))),
            "executor": lambda: map_executor(executor_chunk),
            "hand": lambda: map_by_hand(hand_chunk),
        },
    )
    name, goal = f"{CALLS:,} empty calls by .map", Goal("at least", 1.2, "times as fast")
    for peer, against in (
        ("executor", f"ProcessPoolExecutor.map, chunks of {executor_chunk:,}"),
        ("hand", f"hand-made pipes, batches of {hand_chunk:,}"),
    ):
        comparison = Comparison("map", name, against, "ms", times_as_fast, goal)
        yield comparison.row(samples["ours"], samples[peer])


def measure_zones(contestants: Contestants, rounds: int) -> Iterator[Row]:
    """Very many zones on one thread."""
    found = trio.run(_time_zones, contestants.open_schedulers(ZONES), rounds)
    name = f"a round of {ZONES} zones of {COROUTINES:,}, trio"
    comparison = Comparison("zones", name, "", "ms", own_median, Goal("at most", 100.0, "ms"))
    yield comparison.row(found, found)


async def _time_zones(zones: list[cr.Scheduler], rounds: int) -> list[float]:
    await tick_zones(zones)
    found = []
    for _ in in_turn(rounds, ["zones"]):
        began_ns = perf_counter_ns()
        await tick_zones(zones)
        found.append((perf_counter_ns() - began_ns) / 1e6)
    return found


async def _map_all(arguments: list[int]) -> list[int]:
    return await number.map(arguments)


def _one_us(call: Callable[[], object]) -> float:
    def calls() -> None:
        for _ in range(ALONE):
            call()

    return timed_us(calls) / ALONE


def _ms(work: Callable[[], object]) -> float:
    return timed_us(work) / 1_000


def _best_chunk(measure: Callable[[int], float]) -> int:
    """The chunk with the best of three times."""
    return min(CHUNKS, key=lambda chunk: min(measure(chunk) for _ in range(3)))
