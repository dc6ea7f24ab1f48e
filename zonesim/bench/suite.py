"""One command of ``zonesim bench``: groups of rows that are measured, noted, saved and read back.

Prints and draws nothing. A command is a Suite in a module of its own name, ``SUITE``; its groups
yield a Row for each thing that they measure, and text for what the reader should know. Every group
opens its processes in each of its launches, has ended them behind it, and pauses before the next:
groups take turns, and the launches of each lie all over the run.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from zonesim.system.machine import describe_machine, version, versions
from zonesim.system.operating_system import cpus_to_hold, hold_to_cpus

from . import noise
from .figures import Row
from .launches import COLLECTOR, Amount, OutOfTime, Pause

FORMAT = 1
BENCH_FILE = "bench.json"
GOALS = "goals"  # the group whose rows speak for all that have a goal, where there is one
LOOKS_APART_S = 10.0


class BenchError(Exception):
    """Something that the user can mend; the message is one line."""


class Setting(msgspec.Struct, frozen=True):
    """What a group is told before it measures."""

    amount: Amount
    workers: int
    quick: bool


Measuring: TypeAlias = Generator[Row | str | Pause, bool | None, None]


class Group(NamedTuple):
    """Rows that are measured together, in turns."""

    measure: Callable[[Setting], Measuring]
    full: Amount
    quick: Amount
    parts: int = 1  # each with so many launches: some things cannot stand beside each other


class Suite(NamedTuple):
    """All groups of a command, in order.

    ``conclude`` makes rows of those of a complete run, and is told which groups it was to have;
    what it says as text belongs to the group of the row before. ``draw`` writes pictures of a
    report into a folder and gives their paths. ``remarks`` is what the reader should know before
    the first round, ``packages`` what figures depend on beside those of every run.
    """

    name: str
    groups: dict[str, Group]
    conclude: Callable[[list[Row], list[str]], Iterable[Row | str]] = lambda rows, groups: ()
    draw: Callable[[Report, Path], list[Path]] = lambda report, folder: []
    remarks: Callable[[Options], Iterable[str]] = lambda options: ()
    packages: Sequence[str] = ()


class Options(msgspec.Struct, frozen=True):
    """What is to be measured, and how. None leaves it to the group."""

    groups: list[str]
    quick: bool = False
    workers: int = 2
    launches: int | None = None
    rounds: int | None = None
    cpus: list[int] | None = None  # this program and all that it starts are held to them


class Report(msgspec.Struct, kw_only=True):
    """All that one run has measured, and how."""

    bench: str
    utc: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    options: Options
    amounts: dict[str, Amount]
    load: tuple[float, float, float]  # over 1, 5 and 15 minutes, before the first round
    collector: str = COLLECTOR
    rows: list[Row] = []
    notes: list[str] = []
    looks: list[noise.Look] = []
    complete: bool = False  # False: it was interrupted, or failed
    format: int = FORMAT


class Launch(NamedTuple):
    """What is measured next."""

    group: str
    number: int  # from 0; some groups have several times as many as their amount says


class Measured(NamedTuple):
    """What came of one group."""

    group: str
    rows: list[Row]
    notes: list[str]


def begin(suite: Suite, options: Options) -> Report:
    """What is known before the first round. Raises BenchError where an option is wrong."""
    _check(suite, options)
    return Report(
        bench=suite.name,
        utc=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions=versions() | {package: version(package) for package in suite.packages},
        options=options,
        amounts={name: _amount(suite.groups[name], options) for name in options.groups},
        load=os.getloadavg(),
        notes=list(suite.remarks(options)),
    )


def measure(suite: Suite, report: Report) -> Iterator[Launch | Measured]:
    """Measure all groups into the report; their processes have ended behind the last part.

    On Ctrl-C, groups are told from the launches that they have had. Where one fails, so are all
    others; of that one, what it has told by then.
    """
    options = report.options
    if options.cpus is not None:
        hold_to_cpus(options.cpus)
    groups = {
        name: _Group(suite.groups[name], report.amounts[name], options) for name in options.groups
    }
    try:
        yield from _take_turns(report, groups)
    except (Exception, KeyboardInterrupt):
        for name, group in groups.items():
            group.end()
            if group.parts and not group.is_told:
                yield _noted(report, name, group.parts)
        _doubt(report)
        raise
    for name, parts in _by_group(suite.conclude(list(report.rows), options.groups)).items():
        yield _noted(report, name, parts)
    _doubt(report)
    report.complete = True


class _Group:
    """A group that is being measured; ``parts`` are what it has told."""

    def __init__(self, group: Group, amount: Amount, options: Options) -> None:
        self._measuring = group.measure(Setting(amount, options.workers, options.quick))
        self._is_paused = False
        self._expected = amount.launches * group.parts
        self.launches = 0  # so far
        self.parts: list[Row | str] = []
        self.is_told = False

    @property
    def share(self) -> float:
        """How much of it will be done by the middle of its next launch."""
        return (self.launches + 0.5) / self._expected

    def launch(self) -> bool:
        """One launch, and whether there is another."""
        self.launches += 1
        return (self._is_paused or self._go_on()) and self._go_on()

    def end(self) -> None:
        """Make do with the launches that there were."""
        while self._is_paused:
            self._go_on(is_over=True)

    def _go_on(self, *, is_over: bool = False) -> bool:
        """Measure up to the next pause, and tell whether there is one."""
        answer = is_over if self._is_paused else None
        self._is_paused = False
        try:
            part = self._measuring.send(answer)
            while not isinstance(part, Pause):
                self.parts.append(part)
                part = next(self._measuring)
        except (StopIteration, OutOfTime):
            return False
        self._is_paused = True
        if part is Pause.BROKEN_OFF:
            raise KeyboardInterrupt
        return True


def _take_turns(report: Report, groups: dict[str, _Group]) -> Iterator[Launch | Measured]:
    """One launch of each, then those of whichever group is furthest behind, until all are done."""
    left, looked_s = dict(groups), -math.inf
    while left:
        name, group = min(left.items(), key=lambda item: item[1].share if item[1].launches else 0)
        yield Launch(name, group.launches)
        if time.monotonic() - looked_s > LOOKS_APART_S:
            report.looks.append(noise.look(name))
            looked_s = time.monotonic()
        if not group.launch():
            del left[name]
            group.is_told = True
            yield _noted(report, name, group.parts)
    report.looks.append(noise.look("the end"))


def save(report: Report, folder: Path) -> Path:
    """Write the report below a folder, and give the file."""
    file = folder / BENCH_FILE
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return file


def load(path: Path) -> Report:
    """Read a report back from its folder or file. Raises BenchError where there is none."""
    file = path / BENCH_FILE if os.path.isdir(path) else path
    try:
        report = msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        raise BenchError(
            f"{file}: expected what `zonesim bench` saved, found {error.strerror}"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BenchError(
            f"{file}: expected what `zonesim bench` saved in format {FORMAT}, found: {error}"
        ) from None
    if report.format != FORMAT:
        raise BenchError(f"{file}: expected format {FORMAT}, found {report.format}")
    return report


def _check(suite: Suite, options: Options) -> None:
    for name in options.groups:
        if name not in suite.groups:
            raise BenchError(f"expected some of {','.join(suite.groups)}, found {name!r}")
    if options.cpus is not None:
        usable = cpus_to_hold()
        if not options.cpus or not set(options.cpus) <= set(usable):
            raise BenchError(
                f"expected some of the CPUs that this process can be held to, {usable}, "
                f"found {options.cpus}"
            )


def _amount(group: Group, options: Options) -> Amount:
    preset = group.quick if options.quick else group.full
    return Amount(options.launches or preset.launches, options.rounds or preset.rounds)


def _noted(report: Report, group: str, parts: Sequence[Row | str]) -> Measured:
    """Shown are the verdicts that can be had by now; those that are kept come in the end."""
    rows = [part for part in parts if isinstance(part, Row)]
    notes = [part for part in parts if isinstance(part, str)]
    report.rows += rows
    report.notes += notes
    shown = [_unclear(row) for row in rows] if noise.disturb(report.looks) else rows
    return Measured(group, shown, notes)


def _doubt(report: Report) -> None:
    """Leave no verdict where others had the machine, too."""
    if noise.disturb(report.looks):
        report.rows = [_unclear(row) for row in report.rows]


def _by_group(parts: Iterable[Row | str]) -> dict[str, list[Row | str]]:
    found: dict[str, list[Row | str]] = {}
    group = ""
    for part in parts:
        group = part.group if isinstance(part, Row) else group
        found.setdefault(group, []).append(part)
    return found


def _unclear(row: Row) -> Row:
    return msgspec.structs.replace(row, verdict="unclear") if row.verdict else row
