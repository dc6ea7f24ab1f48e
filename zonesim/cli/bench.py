"""`zonesim bench`: its options, and what it prints as it goes. Measures nothing itself."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from zonesim.cli.options import A_PATH, Command, json_option, out_option, with_options
from zonesim.cli.output import BadInput, CliGroup, as_json_text, bad_input, say, tell
from zonesim.cli.run import run_folder

if TYPE_CHECKING:
    from zonesim.bench.suite import Report, Suite

# What measures is imported by the command that needs it, so that `zonesim --help` answers at once.

PROGRESS_S = 10.0

_SUITE_OPTIONS = (
    click.option(
        "--quick", is_flag=True, help="Few rounds: less than a minute, and wide intervals."
    ),
    click.option("--only", metavar="GROUP,...", help="Some of the groups of rows."),
    click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=2,
        show_default=True,
        metavar="W",
        help="Worker processes, of peers as well.",
    ),
    click.option(
        "--launches",
        type=click.IntRange(1),
        metavar="N",
        help="How often all processes start anew.",
    ),
    click.option(
        "--rounds",
        type=click.IntRange(1),
        metavar="N",
        help="Rounds of each candidate in each launch.",
    ),
    click.option(
        "--pin",
        metavar="CPU,...",
        help="Hold this program and all that it starts to these CPUs (Linux).",
    ),
    out_option,
    click.option(
        "--pyperf", type=A_PATH, metavar="FILE", help="Write the samples for pyperf as well."
    ),
    json_option,
)


class SuiteOptions(TypedDict):
    """What `_suite_options` gives a command."""

    quick: bool
    only: str | None
    workers: int
    launches: int | None
    rounds: int | None
    pin: str | None
    out: Path | None
    pyperf: Path | None
    as_json: bool


def _suite_options(command: Command) -> Command:
    return with_options(_SUITE_OPTIONS, command)


@click.group(cls=CliGroup, no_args_is_help=False)
def bench() -> None:
    """Measure what scheduling costs, beside other ways.

    \b
    Example:
      zonesim bench peers --quick
    """


@bench.command()
@click.argument("earlier", type=A_PATH, metavar="OLD")
@click.argument("later", type=A_PATH, metavar="NEW")
@json_option
def compare(earlier: Path, later: Path, as_json: bool) -> None:
    """Tell better, worse or no difference for each row of two benches of one command.

    OLD and NEW are the folders of past benches, or their files.

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
    """Hold the scheduler against Coro-Roro's own performance plan: patterns, storms, targets.

    \b
    Examples:
      zonesim bench spectrum
      zonesim bench spectrum --quick --only patterns,impact
    """
    run_suite("spectrum", given)


@bench.command()
@_suite_options
def ladder(**given: Unpack[SuiteOptions]) -> None:
    """Retrace the phases of Coro-Roro's performance plan, from whole contexts to the ring.

    \b
    Examples:
      zonesim bench ladder --quick
      zonesim bench ladder --only paths --launches 8
    """
    run_suite("ladder", given)


@bench.command()
@_suite_options
def peers(**given: Unpack[SuiteOptions]) -> None:
    """Hold calls to workers against other ways to make them, and against their goals.

    \b
    Examples:
      zonesim bench peers --quick
      zonesim bench peers --only b2b,alone --launches 8 --pyperf samples.json
    """
    run_suite("peers", given)


@bench.command()
@_suite_options
def memory(**given: Unpack[SuiteOptions]) -> None:
    """Measure what Tasks, processes and rings take, and what very many calls leave behind.

    \b
    Examples:
      zonesim bench memory --quick
      zonesim bench memory --only processes --workers 4
    """
    run_suite("memory", given)


def run_suite(name: str, given: SuiteOptions) -> None:
    """Measure a command's groups, print each when it is there, save and draw all."""
    from zonesim.bench.pyperf_file import check
    from zonesim.bench.suite import BenchError, Options, begin

    suite: Suite = importlib.import_module(f"zonesim.bench.{name}").SUITE
    only, pyperf, as_json = given["only"], given["pyperf"], given["as_json"]
    groups = list(suite.groups if only is None else dict.fromkeys(only.split(",")))
    options = Options(
        groups,
        given["quick"],
        given["workers"],
        given["launches"],
        given["rounds"],
        _cpus(given["pin"]),
    )
    with bad_input(BenchError):
        report = begin(suite, options)
        if pyperf is not None:
            check(pyperf)
    with run_folder(given["out"], f"bench-{name}") as folder:
        try:
            _measure(suite, report, as_json)
        finally:
            files = _save(suite, report, folder, pyperf)
    if as_json:
        say(as_json_text(report))
    for file in files:
        (tell if as_json else say)(f"written: {file}")


def _measure(suite: Suite, report: Report, as_json: bool) -> None:
    import corororo as cr
    from zonesim.bench.suite import BenchError, Measured, measure
    from zonesim.bench.table import foot, head, section

    write = tell if as_json else say

    def write_all(lines: Iterable[str]) -> None:
        write("\n".join(lines))

    write_all(head(report))
    told_s = 0.0
    with bad_input(BenchError, cr.CorororoError):
        for part in measure(suite, report):
            if isinstance(part, Measured):
                write_all(section(part, report))
            elif time.monotonic() - told_s > PROGRESS_S:
                told_s = time.monotonic()
                tell(f"zonesim bench {suite.name}: {part.group}, launch {part.number + 1} ...")
    write_all(foot(report))


def _save(suite: Suite, report: Report, folder: Path, pyperf: Path | None) -> list[Path]:
    """What an interrupted run has measured is saved as well, if it is anything."""
    from zonesim.bench.pyperf_file import write
    from zonesim.bench.suite import save

    if not report.rows:
        return []
    try:
        files = [save(report, folder)]
        if pyperf is not None and (file := write(report, pyperf)):
            files.append(file)
        return [*files, *(suite.draw(report, folder) if report.complete else ())]
    except OSError as error:
        reason = error.strerror or error  # a figure's error says all of it
        raise BadInput(
            f"{error.filename or folder}: the figures cannot be written: {reason}"
        ) from None


def _cpus(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"--pin: expected CPU numbers as in 0,1, found {text!r}") from None
