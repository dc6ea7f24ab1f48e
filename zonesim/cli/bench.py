"""`zonesim bench`: measure, print the table, save and draw."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from zonesim.cli.options import A_PATH, json_option, out_option, with_options
from zonesim.cli.output import BadInput, CliGroup, as_json_text, bad_input, say, tell
from zonesim.cli.run import run_folder
from zonesim.system.errors import error_line

if TYPE_CHECKING:
    from zonesim.bench.suite import Report, Suite

# Each command imports what it measures with, so that `zonesim --help` answers at once.

PROGRESS_S = 10.0

_suite_options = with_options(
    click.option(
        "--quick", is_flag=True, help="Fewer rounds: under a minute, but wider intervals."
    ),
    click.option("--verbose", is_flag=True, help="Also print all rows, conditions and notes."),
    click.option("--only", metavar="GROUP,...", help="Measure only these groups of rows."),
    click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=2,
        show_default=True,
        metavar="W",
        help="Worker processes, for corororo and for the others.",
    ),
    click.option(
        "--launches",
        type=click.IntRange(1),
        metavar="N",
        help="How many times to start all processes.",
    ),
    click.option(
        "--rounds",
        type=click.IntRange(1),
        metavar="N",
        help="Rounds of each candidate in each launch.",
    ),
    out_option,
    json_option,
)


class SuiteOptions(TypedDict):
    """The options of the four commands that measure."""

    quick: bool
    verbose: bool
    only: str | None
    workers: int
    launches: int | None
    rounds: int | None
    out: Path | None
    as_json: bool


@click.group(cls=CliGroup, no_args_is_help=False)
def bench() -> None:
    """Measure what scheduling costs and compare it with other ways.

    \b
    Example:
      zonesim bench peers --quick
    """


@bench.command()
@click.argument("earlier", type=A_PATH, metavar="OLD")
@click.argument("later", type=A_PATH, metavar="NEW")
@json_option
def compare(earlier: Path, later: Path, as_json: bool) -> None:
    """Compare the saved results of two runs of a command.

    Each row is better, worse or no different. OLD and NEW are folders, or the bench.json in them.

    \b
    Example:
      zonesim bench compare reports/20261123T101500Z-bench-peers later/bench.json
    """
    from zonesim.bench.compare import compare as compare_reports
    from zonesim.bench.suite import BenchError, load
    from zonesim.bench.table import changes_text

    with bad_input(BenchError):
        changes = compare_reports(load(earlier), load(later))
    say(as_json_text(changes) if as_json else "\n".join(changes_text(changes)))


@bench.command()
@_suite_options
def spectrum(**given: Unpack[SuiteOptions]) -> None:
    """Measure the patterns of Coro-Roro's performance plan.

    \b
    Examples:
      zonesim bench spectrum
      zonesim bench spectrum --quick --only patterns,impact
    """
    run_suite("spectrum", given)


@bench.command()
@_suite_options
def ladder(**given: Unpack[SuiteOptions]) -> None:
    """Measure the phases of Coro-Roro's performance plan.

    \b
    Examples:
      zonesim bench ladder --quick
      zonesim bench ladder --only paths --launches 8
    """
    run_suite("ladder", given)


@bench.command()
@_suite_options
def peers(**given: Unpack[SuiteOptions]) -> None:
    """Compare corororo with hand-written code and other pools.

    Without --quick it also runs up to 300 zones at once, which takes about a quarter of an hour.

    \b
    Examples:
      zonesim bench peers --quick
      zonesim bench peers --only hand,calls --launches 8 --verbose
    """
    run_suite("peers", given)


@bench.command()
@_suite_options
def memory(**given: Unpack[SuiteOptions]) -> None:
    """Measure the memory of Tasks, calls, processes and rings.

    \b
    Examples:
      zonesim bench memory --quick
      zonesim bench memory --only processes --workers 4
    """
    run_suite("memory", given)


def run_suite(name: str, given: SuiteOptions) -> None:
    """Measure a command's groups, print the table, save and draw all."""
    from zonesim.bench.suite import BenchError, Options, begin

    suite: Suite = importlib.import_module(f"zonesim.bench.{name}.command").SUITE
    only = given["only"]
    groups = list(suite.groups if only is None else dict.fromkeys(only.split(",")))
    options = Options(groups, given["quick"], given["workers"], given["launches"], given["rounds"])
    with bad_input(BenchError):
        report = begin(suite, options)
    write = tell if given["as_json"] else say
    with run_folder(given["out"], f"bench-{name}") as folder:
        try:
            _measure(suite, report)
        finally:
            files = _save(suite, report, folder)
            if report.rows:
                write(_text(report, given["verbose"]))
    _report_failed(report)
    if given["as_json"]:
        say(as_json_text(report))
    for file in files:
        write(f"written: {file}")


def _measure(suite: Suite, report: Report) -> None:
    import corororo as cr
    from zonesim.bench.suite import measure

    told_s = 0.0

    def tell_progress(group: str, number: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s > PROGRESS_S:
            told_s = time.monotonic()
            tell(f"zonesim bench {suite.name}: {group}, launch {number + 1} ...")

    with bad_input(cr.CorororoError):
        measure(suite, report, tell_progress)


def _report_failed(report: Report) -> None:
    """Say which groups could not be measured; raises BadInput if there is nothing else."""
    if not report.rows:
        raise BadInput(f"nothing was measured: {'; '.join(report.notes)}")
    failed = report.amounts.keys() - {row.group for row in report.rows}
    for note in report.notes:
        if note.partition(":")[0] in failed:
            tell(note)


def _text(report: Report, verbose: bool) -> str:
    from zonesim.bench.table import details, summary

    lines = list(summary(report))
    return "\n".join([*lines, "", *details(report)] if verbose else lines)


def _save(suite: Suite, report: Report, folder: Path) -> list[Path]:
    """Save what has been measured, also of an interrupted run; draw complete runs."""
    from zonesim.bench.suite import save

    if not report.rows:
        return []
    try:
        saved = save(report, folder)
    except OSError as error:
        name = error.filename or folder
        raise BadInput(f"{name}: results cannot be written: {error.strerror}") from None
    return [saved, *(_draw(suite, report, folder) if report.complete else ())]


def _draw(suite: Suite, report: Report, folder: Path) -> list[Path]:
    try:
        # Before a figure imports matplotlib, which reads settings at its first import.
        importlib.import_module("zonesim.report")
        return suite.draw(report, folder)
    except Exception as error:  # of the disk, of fonts, of a matplotlib that does not load
        tell(f"{folder}: the figures cannot be drawn: {error_line(error)}")
        return []
