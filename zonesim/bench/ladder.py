"""`zonesim bench ladder`: the plan's phases retraced, one rung above the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .core import CHAINS
from .empty_work import number, path
from .ladder_rows import rows
from .ladder_steps import SWITCHES, TICK_US, Function, open_steps
from .launches import Amount, Figures, one_of, take_turns
from .milestones import BEFORE, PERIOD_MS
from .suite import Group, Measuring, Report, Setting, Suite

HEAP = 100_000  # lists that live on, as those of a game do: the collector looks at them
WORK: dict[str, Function] = {"numbers": number, "paths": path}
NOTES = (
    f"a switch: {CHAINS} of them are what a tick takes longer than one with plain Tasks in place "
    f"of its AsyncTasks",
    f"zones: {PERIOD_MS:g} ms by the ms of a tick, as the plan reckons what one main thread "
    f"holds; that the thread waits for workers in a part of them is not taken off",
    f"garbage is collected inside of ticks, beside {HEAP:,} lists that live on, as users have it; "
    f"rungs 4 and 5 collect it between ticks, in time that no figure counts; what else the plan's "
    f"phase 4 pools, Tasks and buffers, the ring reuses from 2.5 on",
    f"goals are the plan's milestones; before them the plan had {BEFORE.switch_us:,.0f} us a "
    f"switch, {BEFORE.tick_ms:,.0f} ms a tick, {BEFORE.zones} zones",
)


def measure(group: str, setting: Setting) -> Measuring:
    """All rungs on one workload, in turns."""
    samples = yield from take_turns(setting.amount, partial(_open, setting.workers, WORK[group]))
    ticks_us = {name: one_of(rounds, TICK_US) for name, rounds in samples.items()}
    switches = {name: one_of(rounds, SWITCHES) for name, rounds in samples.items()}
    yield from rows(group, ticks_us, switches)
    yield from NOTES


@contextmanager
def _open(workers: int, work: Function) -> Iterator[Mapping[str, Callable[[], Figures]]]:
    """All rungs, beside a heap."""
    heap: list[list[int]] = [[] for _ in range(HEAP)]
    with open_steps(workers, work) as steps:
        yield steps
    heap.clear()


def draw(report: Report, folder: Path) -> list[Path]:
    """A picture of each workload."""
    from zonesim.bench import waterfall_figure  # matplotlib, which nothing that measures needs

    groups = dict.fromkeys(row.group for row in report.rows)
    return [
        waterfall_figure.draw(report, group, folder / f"waterfall_{group}.png") for group in groups
    ]


SUITE = Suite(
    "ladder",
    {name: Group(partial(measure, name), Amount(6, 8), Amount(3, 2)) for name in WORK},
    draw=draw,
)
