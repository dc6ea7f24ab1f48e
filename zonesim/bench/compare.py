"""Comparison of two reports of one command, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from . import noise
from .rows import Row
from .suite import BenchError, Report

# Unclear: a machine was busy, or a figure is a single sample whose spread is not known.
Verdict = Literal["better", "worse", "no difference", "unclear", "gone", "added"]


class Change(msgspec.Struct, frozen=True):
    """One row in both reports. ``ratio`` is the later figure over the earlier one."""

    group: str
    name: str
    against: str
    figure_unit: str
    before: float | None
    after: float | None
    ratio: float | None
    verdict: Verdict


class Changes(msgspec.Struct, frozen=True):
    """All rows of both reports, and how their conditions differ."""

    bench: str
    rows: list[Change]
    notes: list[str]
    format: int = 1


def compare(before: Report, after: Report) -> Changes:
    """Compare a report with an earlier one. Raises BenchError if they are of two commands.

    A row differs if each of its figures lies outside of the interval of the other run, and the
    machine was not busy.
    """
    if before.bench != after.bench:
        raise BenchError(
            f"expected two reports of one command, found {before.bench!r} and {after.bench!r}"
        )
    return Changes(before.bench, list(_changes(before, after)), list(_notes(before, after)))


def _changes(before: Report, after: Report) -> Iterator[Change]:
    busy = any(noise.is_busy(report.looks) for report in (before, after))
    earlier = {row.key: row for row in before.rows}
    later = {row.key: row for row in after.rows}
    for key, row in earlier.items():
        yield _change(row, later.get(key), busy)
    for key, row in later.items():
        if key not in earlier:
            yield _changed(row, None, row.figure, "added")


def _change(row: Row, then: Row | None, busy: bool) -> Change:
    if then is None:
        return _changed(row, row.figure, None, "gone")
    if row.figure == then.figure or _within(row.figure, then) or _within(then.figure, row):
        return _changed(row, row.figure, then.figure, "no difference")
    if busy or row.interval is None or then.interval is None:
        return _changed(row, row.figure, then.figure, "unclear")
    rose = then.figure > row.figure
    better = rose == (row.better == "higher")
    return _changed(row, row.figure, then.figure, "better" if better else "worse")


def _within(figure: float, row: Row) -> bool:
    if row.interval is None:
        return False
    low, high = row.interval
    return low <= figure <= high


def _changed(row: Row, before: float | None, after: float | None, verdict: Verdict) -> Change:
    ratio = after / before if before and after is not None else None
    return Change(row.group, row.name, row.against, row.figure_unit, before, after, ratio, verdict)


def _options(report: Report) -> dict[str, object]:
    """How it was measured; the choice of groups shows in rows that are gone or added."""
    options: dict[str, object] = msgspec.structs.asdict(report.options)
    del options["groups"]
    return options


def _notes(before: Report, after: Report) -> Iterator[str]:
    for what, ours, theirs in (
        ("machine", before.machine, after.machine),
        ("versions", before.versions, after.versions),
        ("options", _options(before), _options(after)),
    ):
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                yield f"{what}: {key} was {ours.get(key)}, and is {theirs.get(key)}"
    for report, name in ((before, "earlier"), (after, "later")):
        if noise.is_busy(report.looks):
            yield f"the machine was busy during the {name} run"
        if not report.complete:
            yield f"the {name} run was not complete"
