"""One benchmark command: its groups are measured launch by launch, saved and read back."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from zonesim.system.operating_system import describe_machine, version, versions

from . import noise
from .rows import Row
from .sampling import Amount, Candidates, Samples, sample_launch

FORMAT = 1
BENCH_FILE = "bench.json"
LOOKS_APART_S = 10.0


class BenchError(Exception):
    """A problem that the user can solve; the message is one line."""


class Setting(msgspec.Struct, frozen=True):
    """What a group needs to know before it opens its candidates."""

    workers: int
    quick: bool


class Group(NamedTuple):
    """Candidates that are measured in turns, and the rows that their samples give."""

    open: Callable[[Setting], AbstractContextManager[Candidates]]
    rows: Callable[[Samples, Setting], Iterable[Row | str]]
    full: Amount
    quick: Amount | None  # None: only a full run measures it
    warm_up: bool = True


class Suite(NamedTuple):
    """All groups of a command, in the order of their rows.

    ``conclude`` derives rows from those of all groups. ``draw`` writes pictures of a report into
    a folder and returns their paths.
    """

    name: str
    groups: dict[str, Group]
    conclude: Callable[[list[Row]], Iterable[Row]] = lambda rows: ()
    draw: Callable[[Report, Path], list[Path]] = lambda report, folder: []
    packages: tuple[str, ...] = ()  # other packages that the figures depend on


class Options(msgspec.Struct, frozen=True):
    """What to measure, and how. None leaves it to the group."""

    groups: list[str]
    quick: bool = False
    workers: int = 2
    launches: int | None = None
    rounds: int | None = None


class Report(msgspec.Struct, kw_only=True):
    """All that one run has measured, and how."""

    bench: str
    utc: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    options: Options
    amounts: dict[str, Amount]
    load: tuple[float, float, float]  # over 1, 5 and 15 minutes, before the first round
    rows: list[Row] = []
    notes: list[str] = []
    looks: list[noise.Look] = []
    complete: bool = False  # False: it was interrupted, or failed
    format: int = FORMAT


def begin(suite: Suite, options: Options) -> Report:
    """The empty report of a run. Raises BenchError for an unknown group."""
    for name in options.groups:
        if name not in suite.groups:
            raise BenchError(
                f"--only: expected one or more of {','.join(suite.groups)}, found {name!r}"
            )
    amounts = {name: _amount(suite.groups[name], options) for name in options.groups}
    return Report(
        bench=suite.name,
        utc=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions=versions() | {package: version(package) for package in suite.packages},
        options=options,
        amounts={name: amount for name, amount in amounts.items() if amount is not None},
        load=os.getloadavg(),
        notes=[
            f"{name}: only a run without --quick measures it"
            for name, amount in amounts.items()
            if amount is None
        ],
    )


def measure(suite: Suite, report: Report, on_launch: Callable[[str, int], None]) -> None:
    """Measure all groups into the report; on Ctrl-C, it has the rows of complete launches.

    A group that raises BenchError has a note in place of its rows.
    """
    setting = Setting(report.options.workers, report.options.quick)
    samples: dict[str, Samples] = {name: {} for name in report.amounts}
    looked_s = -math.inf
    try:
        for name, number in _launches(report.amounts):
            if name not in samples:
                continue
            on_launch(name, number)
            if time.monotonic() - looked_s > LOOKS_APART_S:
                report.looks.append(noise.look(name))
                looked_s = time.monotonic()
            group, rounds = suite.groups[name], report.amounts[name].rounds
            try:
                opened = group.open(setting)
                found = sample_launch(opened, rounds, number, warm_up=group.warm_up)
            except BenchError as error:
                report.notes.append(f"{name}: {error}")
                del samples[name]
            else:
                for candidate, values in found.items():
                    samples[name].setdefault(candidate, []).append(values)
        report.looks.append(noise.look("the end"))
        report.complete = True
    finally:
        _conclude(suite, report, samples, setting)


def save(report: Report, folder: Path) -> Path:
    """Write the report into a folder, and return the file."""
    file = folder / BENCH_FILE
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return file


def load(path: Path) -> Report:
    """Read a report from its folder or file. Raises BenchError if there is none."""
    file = path / BENCH_FILE if os.path.isdir(path) else path
    try:
        report = msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        raise BenchError(
            f"{file}: expected results of `zonesim bench`, found: {error.strerror}"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BenchError(
            f"{file}: expected results of `zonesim bench` in format {FORMAT}, found: {error}"
        ) from None
    if report.format != FORMAT:
        raise BenchError(f"{file}: expected format {FORMAT}, found {report.format}; measure again")
    return report


def _amount(group: Group, options: Options) -> Amount | None:
    preset = group.quick if options.quick else group.full
    if preset is None:
        return None
    return Amount(options.launches or preset.launches, options.rounds or preset.rounds)


def _launches(amounts: dict[str, Amount]) -> Iterator[tuple[str, int]]:
    """The launches of all groups, those of each spread over the whole run.

    The speed of a machine drifts from minute to minute: so every group gets some of it.
    """
    places = [
        ((number + 0.5) / amount.launches, order, name, number)
        for order, (name, amount) in enumerate(amounts.items())
        for number in range(amount.launches)
    ]
    for _, _, name, number in sorted(places):
        yield name, number


def _conclude(suite: Suite, report: Report, samples: dict[str, Samples], setting: Setting) -> None:
    for name, found in samples.items():
        if found:
            for part in suite.groups[name].rows(found, setting):
                if isinstance(part, Row):
                    report.rows.append(part)
                else:
                    report.notes.append(f"{name}: {part}")
    report.rows += suite.conclude(list(report.rows))
    if noise.is_busy(report.looks):
        report.rows = [
            msgspec.structs.replace(row, verdict="unclear") if row.verdict else row
            for row in report.rows
        ]
