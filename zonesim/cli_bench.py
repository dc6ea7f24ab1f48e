"""`zonesim bench`: its options, and what it prints as it goes. Measures nothing itself."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zonesim.cli_options import JsonOption, OutOption
from zonesim.cli_run import BadInput, bad_input, run_folder
from zonesim.cli_say import as_json_text, say, tell

if TYPE_CHECKING:
    from zonesim.bench.suite import Report, Suite

# What measures is imported by the command that needs it, so that `zonesim --help` answers at once.

QuickOption = Annotated[
    bool, typer.Option("--quick", help="Few rounds: less than a minute, and wide intervals.")
]
OnlyOption = Annotated[
    str | None, typer.Option(metavar="GROUP,...", help="Some of the groups of rows.")
]
BenchWorkersOption = Annotated[
    int, typer.Option(min=1, max=256, metavar="W", help="Worker processes, of peers as well.")
]
LaunchesOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="How often all processes start anew.")
]
RoundsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Rounds of each candidate in each launch.")
]
PyperfOption = Annotated[
    Path | None,
    typer.Option("--pyperf", metavar="FILE", help="Write the samples for pyperf as well."),
]
PinOption = Annotated[
    str | None,
    typer.Option(
        metavar="CPU,...", help="Hold this program and all that it starts to these CPUs (Linux)."
    ),
]

PROGRESS_S = 10.0

bench = typer.Typer(add_completion=False, rich_markup_mode=None)


@bench.callback()
def _root() -> None:
    """Measure what scheduling costs, beside other ways.

    \b
    Example:
      zonesim bench peers --quick
    """


@bench.command()
def compare(
    earlier: Annotated[
        Path, typer.Argument(metavar="OLD", help="The folder of a past bench, or its file.")
    ],
    later: Annotated[Path, typer.Argument(metavar="NEW", help="The folder of a later one.")],
    as_json: JsonOption = False,
) -> None:
    """Tell better, worse or no difference for each row of two benches of one command.

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
def spectrum(
    quick: QuickOption = False,
    only: OnlyOption = None,
    workers: BenchWorkersOption = 2,
    launches: LaunchesOption = None,
    rounds: RoundsOption = None,
    pin: PinOption = None,
    out: OutOption = None,
    pyperf: PyperfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the scheduler against Coro-Roro's own performance plan: patterns, storms, targets.

    \b
    Examples:
      zonesim bench spectrum
      zonesim bench spectrum --quick --only patterns,impact
    """
    run_suite("spectrum", quick, only, workers, launches, rounds, pin, out, pyperf, as_json)


@bench.command()
def ladder(
    quick: QuickOption = False,
    only: OnlyOption = None,
    workers: BenchWorkersOption = 2,
    launches: LaunchesOption = None,
    rounds: RoundsOption = None,
    pin: PinOption = None,
    out: OutOption = None,
    pyperf: PyperfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retrace the phases of Coro-Roro's performance plan, from whole contexts to the ring.

    \b
    Examples:
      zonesim bench ladder --quick
      zonesim bench ladder --only paths --launches 8
    """
    run_suite("ladder", quick, only, workers, launches, rounds, pin, out, pyperf, as_json)


@bench.command()
def peers(
    quick: QuickOption = False,
    only: OnlyOption = None,
    workers: BenchWorkersOption = 2,
    launches: LaunchesOption = None,
    rounds: RoundsOption = None,
    pin: PinOption = None,
    out: OutOption = None,
    pyperf: PyperfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold calls to workers against other ways to make them, and against their goals.

    \b
    Examples:
      zonesim bench peers --quick
      zonesim bench peers --only b2b,alone --launches 8 --pyperf samples.json
    """
    run_suite("peers", quick, only, workers, launches, rounds, pin, out, pyperf, as_json)


@bench.command()
def memory(
    quick: QuickOption = False,
    only: OnlyOption = None,
    workers: BenchWorkersOption = 2,
    launches: LaunchesOption = None,
    rounds: RoundsOption = None,
    pin: PinOption = None,
    out: OutOption = None,
    pyperf: PyperfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what Tasks, processes and rings take, and what very many calls leave behind.

    \b
    Examples:
      zonesim bench memory --quick
      zonesim bench memory --only processes --workers 4
    """
    run_suite("memory", quick, only, workers, launches, rounds, pin, out, pyperf, as_json)


def run_suite(
    name: str,
    quick: bool,
    only: str | None,
    workers: int,
    launches: int | None,
    rounds: int | None,
    pin: str | None,
    out: Path | None,
    pyperf: Path | None,
    as_json: bool,
) -> None:
    """Measure a command's groups, print each when it is there, save and draw all."""
    from zonesim.bench.pyperf_file import check
    from zonesim.bench.suite import BenchError, Options, begin

    suite: Suite = importlib.import_module(f"zonesim.bench.{name}").SUITE
    groups = list(suite.groups if only is None else dict.fromkeys(only.split(",")))
    options = Options(groups, quick, workers, launches, rounds, _cpus(pin))
    with bad_input(BenchError):
        report = begin(suite, options)
        if pyperf is not None:
            check(pyperf)
    with run_folder(out, f"bench-{name}") as folder:
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
