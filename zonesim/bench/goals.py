"""What the library has to reach, line by line, as one table of pass and falls short.

Measures nothing: a line stands for rows that were measured, and of several it takes the worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from . import fleet_group as fleet
from .figures import Row
from .peer_pools.by_hand import BY_HAND
from .peer_pools.executors import STANDARD
from .peer_pools.trio_workers import TRIO_PARALLEL
from .suite import GOALS

THEIRS = "theirs"  # whose row is the worst of several may change from run to run


class Line(NamedTuple):
    """One goal: its words, and the beginnings of what names its rows. "" stands for any."""

    words: str
    group: str
    name: str = ""
    against: str = ""

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """Its rows, which all have the same goal."""
        return [
            row
            for row in rows
            if row.goal is not None
            and row.group == self.group
            and row.name.startswith(self.name)
            and row.against.startswith(self.against)
        ]


def _fleet(run: str, figure: str, words: str) -> Line:
    return Line(f"{run}: {words}", fleet.GROUP, f"{run}: {figure}")


BATCHED = STANDARD.batched.partition(",")[0]
PIPES = BY_HAND.batched.partition(",")[0]  # with and without a loop of send

TICK = "a tick of 1,980 coroutines"

LINES = (
    Line(f"{TICK}, against its 396 calls batched by hand, back to back", "b2b", "", BATCHED),
    Line(f"{TICK}, against its 396 calls batched by hand, paced", "paced", "", BATCHED),
    Line(f"{TICK}, against the best pipes and msgspec, back to back", "b2b", "", PIPES),
    Line(f"{TICK}, against the best pipes and msgspec, paced", "paced", "", PIPES),
    Line(f"{TICK}, against trio_parallel.run_sync per task", "submit", "", TRIO_PARALLEL.each),
    Line(f"{TICK}, against ProcessPoolExecutor.submit per task", "submit", "", STANDARD.each),
    Line("added cost of an AsyncTask over a plain awaited Task, in that tick", "added"),
    Line("one AsyncTask alone, there and back", "alone"),
    Line("100,000 empty calls through .map, beside the best peer", "map"),
    Line("100 zones on one main thread, 1,980 coroutines each, a round", "zones"),
    _fleet(fleet.CROWD, fleet.LATE, "no late tick in 60 s"),
    _fleet(fleet.CROWD, fleet.RESPONSE, "response p99"),
    _fleet(fleet.MANY, fleet.SLOWEST, "2.5 ticks/s held in every zone"),
    _fleet(fleet.MANY, fleet.LATE_SHARE, "late ticks"),
    _fleet(fleet.FIELD, fleet.SLOWEST, "2.5 ticks/s held in every zone"),
    _fleet(fleet.FIELD, fleet.LATE_SHARE, "late ticks"),
    _fleet(fleet.CROWD, fleet.MAIN_THREAD, "main-thread time of a tick, against that at 1 zone"),
    _fleet(fleet.STRUCK, fleet.LOST, "0 lost"),
    _fleet(fleet.STRUCK, fleet.DOUBLED, "0 doubled"),
    _fleet(fleet.STRUCK, fleet.HASHES, "the same world_hash"),
)


def conclude(rows: list[Row], groups: Sequence[str]) -> Iterator[Row | str]:
    """A row for each goal of the groups that ran, in their order; a line for each without figures.

    What could not be measured, since a run did not end, say, is held by nobody.
    """
    for line in LINES:
        if found := line.of(rows):
            yield _worst(line, found)
    for line in LINES:
        if line.group in groups and not line.of(rows):
            yield f"{GOALS}: not measured, and so not reached: {line.words}"


def _worst(line: Line, rows: Sequence[Row]) -> Row:
    """The row that keeps least to its goal, under the words of the line."""
    pick = min if rows[0].better == "higher" else max
    worst = pick(rows, key=lambda row: row.figure)
    against, note = worst.against, worst.note
    if len(rows) > 1:
        note = f"the worst of {len(rows)}: {worst.name}"
        if against:
            against, note = THEIRS, f"{note}, against {against}"
    return msgspec.structs.replace(
        worst,
        group=GOALS,
        name=line.words,
        against=against,
        note=note,
        samples=[],
        their_samples=[],
    )
