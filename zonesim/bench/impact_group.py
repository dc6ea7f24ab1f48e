"""What a tick of LandSandBoat takes, by the plan's three methods, and where they disagree.

All three are measured in turns, on the same processes: full ticks back to back; what each of
their components costs by itself, as often as a tick needs it; and ticks with pauses of 20 ms and
more, of which a sample is drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from statistics import median

import corororo as cr

from .chains import plain_task
from .core import COROUTINES, open_zone
from .empty_work import number
from .figures import Comparison, Row, alone, beside
from .impact_parts import COMPONENTS, Component, open_components
from .launches import Figures, each, flat, one_of, ratio, take_turns
from .plan import MIXED, ORIGINAL, ORIGINAL_PACED_MS, ORIGINAL_TICK_MS, PLAN, PLAN_IMPACT_MS
from .suite import Measuring, Setting
from .tick_parts import BATCHES, LAPS, MAIN, WALL, back_to_back, sampled

GROUP = "impact"
DIRECT, SUMMED, SAMPLED = "1 direct", "2 components", "3 sampled"
PLAIN, PLAIN_SAMPLED = "plain Tasks", "plain, sampled"  # no AsyncTask, no worker, no transfer
TICKS, PACED_TICKS, SAMPLE = 10, 16, 8
TICK = f"a tick of {COROUTINES:,}"
OWN_THREAD = "of it the zone's own thread"

Parts = list[list[Figures]]  # of ticks, by launch and round; in us


def measure_impact(setting: Setting) -> Measuring:
    """The tick by each method, how far they disagree, what it is made of, and why."""
    samples = yield from take_turns(setting.amount, partial(_open, setting.workers))
    ticks = {
        DIRECT: samples[DIRECT],
        SUMMED: summed(samples, setting.workers),
        SAMPLED: samples[SAMPLED],
        PLAIN: samples[PLAIN],
        PLAIN_SAMPLED: samples[PLAIN_SAMPLED],
    }
    yield from _methods(ticks)
    yield from _disagreements(ticks)
    for component in COMPONENTS:
        yield _component(component, samples, setting.workers)
    yield from _explanation({name: _medians(parts) for name, parts in ticks.items()})


def summed(samples: Mapping[str, Parts], workers: int) -> Parts:
    """Ticks as their components would have them, round by round."""
    return [
        [
            sum_of(
                {c.name: samples[c.name][launch][place]["us"] for c in COMPONENTS}, tick, workers
            )
            for place, tick in enumerate(rounds)
        ]
        for launch, rounds in enumerate(samples[DIRECT])
    ]


def sum_of(costs_us: Mapping[str, float], tick: Figures, workers: int) -> dict[str, float]:
    """One tick, from the cost of each of its components."""
    parts = dict.fromkeys(LAPS, 0.0)
    for part in COMPONENTS:
        parts[part.lap] += costs_us[part.name] * part.frequency(tick[BATCHES], workers)
    wall_us = sum(parts.values())
    return parts | {WALL: wall_us, MAIN: wall_us - parts["wait"]}


@contextmanager
def _open(workers: int) -> Iterator[dict[str, Callable[[], Figures]]]:
    draw = random.Random(workers)
    with (
        open_zone(workers) as zone,
        cr.Scheduler() as plain,
        open_components(zone) as components,
    ):
        yield {
            DIRECT: lambda: back_to_back(zone, number, TICKS),
            SAMPLED: lambda: sampled(zone, number, PACED_TICKS, SAMPLE, draw),
            PLAIN: lambda: back_to_back(plain, plain_task, TICKS),
            PLAIN_SAMPLED: lambda: sampled(plain, plain_task, SAMPLE, SAMPLE, draw),
            **{name: partial(_as_figures, cost_us) for name, cost_us in components.items()},
        }


def _as_figures(cost_us: Callable[[], float]) -> Figures:
    return {"us": cost_us()}


def _methods(ticks: Mapping[str, Parts]) -> Iterator[Row]:
    published_ms = {DIRECT: ORIGINAL_TICK_MS, SAMPLED: ORIGINAL_PACED_MS}
    for method in (DIRECT, SUMMED, SAMPLED):
        row = alone(GROUP, f"{method}: {TICK}", "ms", _ms(ticks[method], WALL))
        yield beside(row, ORIGINAL, published_ms[method]) if method in published_ms else row
        if method is DIRECT:
            yield beside(row, PLAN, PLAN_IMPACT_MS[MIXED])
        yield alone(GROUP, f"{method}: {OWN_THREAD}", "ms", _ms(ticks[method], MAIN))


def _disagreements(ticks: Mapping[str, Parts]) -> Iterator[Row]:
    wall = {name: _ms(ticks[name], WALL) for name in (DIRECT, SUMMED, SAMPLED)}
    for method in (SUMMED, SAMPLED):
        comparison = Comparison(GROUP, f"disagreement: {method}", DIRECT, "ms", ratio)
        yield comparison.row(wall[method], wall[DIRECT])
    spread = [
        [max(three) / min(three) for three in zip(*launches, strict=True)]
        for launches in zip(*wall.values(), strict=True)
    ]
    yield alone(GROUP, "disagreement: most over least of the three", "x", spread)


def _component(component: Component, samples: Mapping[str, Parts], workers: int) -> Row:
    cost_us = one_of(samples[component.name], "us")
    batches = median(flat(one_of(samples[DIRECT], BATCHES)))
    times = component.frequency(batches, workers)
    total_us = median(flat(cost_us)) * times
    note = f"x {times:,.0f} = {total_us:,.0f} us"
    return alone(GROUP, f"component: {component.name}", "us", cost_us, note=note)


def _explanation(ticks: Mapping[str, Figures]) -> Iterator[str]:
    direct, sums = ticks[DIRECT], ticks[SUMMED]
    yield f"{'where a tick goes, us':<24}" + "".join(f"{name:>16}" for name in ticks)
    for lap in LAPS:
        yield f"{lap:<24}" + "".join(f"{parts[lap]:>16,.0f}" for parts in ticks.values())
    lap = max(LAPS, key=lambda lap: abs(sums[lap] - direct[lap]))
    yield (
        f"{SUMMED} differs from {DIRECT} most in {lap!r}, by {_more(sums, direct, lap)} us: what "
        "components do to each other there, and what none of them holds"
    )
    waits, own = (_more(ticks[SAMPLED], direct, part) for part in ("wait", MAIN))
    plain = _more(ticks[PLAIN_SAMPLED], ticks[PLAIN], MAIN)
    yield (
        f"{SAMPLED} differs from {DIRECT} by {waits} us of waiting for workers, which sleep in the "
        f"pauses, and by {own} us of the same code on the zone's own thread, where after a pause "
        f"caches are cold: a tick without AsyncTasks and workers differs by {plain} us there"
    )


def _more(parts: Figures, than: Figures, name: str) -> str:
    return f"{parts[name] - than[name]:+,.0f}"


def _medians(parts: Parts) -> Figures:
    return {name: median(flat(one_of(parts, name))) for name in (*LAPS, MAIN)}


def _ms(parts: Parts, name: str) -> list[list[float]]:
    return each(lambda us: us / 1_000, one_of(parts, name))
