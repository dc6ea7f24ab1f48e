"""`zonesim run` and `zonesim scale`: measure a scenario, print its figures, draw its report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zonesim.scenario.loading import Scenario, load_scenario
from zonesim.system.interrupts import INTERRUPTED, Interrupts

from .options import overrides, run_options, scenario_argument
from .output import BadInput, as_json_text, bad_input, say, tell

if TYPE_CHECKING:
    from zonesim.controller.run import Outcome
    from zonesim.results.saved_run import Summary

# Whatever runs processes or draws is imported by the function that needs it, so that
# `zonesim --help` answers at once.

DONE = 0
BROKE_LIMITS = 1
REPORTS = Path("reports")  # below the working directory


@click.command()
@scenario_argument()
@run_options
def run(
    scenario: str | bytes,
    settings: Sequence[str],
    out: Path | None,
    with_report: bool,
    as_json: bool,
    **keys: object,
) -> None:
    """Run a scenario and write its report.

    SCENARIO is a file, the name of a built-in one (zonesim scenarios lists them), or - for
    standard input.

    \b
    Examples:
      zonesim run chains --zones 10 --duration 20
      zonesim run chains --zones 300 --zones-per-process auto
      zonesim run field --ticks 50 --set field.mobs=600 --set late=carry
      zonesim run my-scenario.toml --duration 1m30s --workers 0 --json
    """
    _run(load_scenario(scenario, overrides(settings, keys)), out, with_report, as_json)


@click.command()
@scenario_argument(default="scale")
@run_options
def scale(
    scenario: str | bytes,
    settings: Sequence[str],
    out: Path | None,
    with_report: bool,
    as_json: bool,
    **keys: object,
) -> None:
    """Run a scenario with more and more zones.

    SCENARIO is as for zonesim run; the default is 1 to 100 zones of the field workload. A scenario
    with a single step runs with the steps of the default.

    \b
    Examples:
      zonesim scale
      zonesim scale chains --zones 1,10,100 --workers 2
    """
    given = overrides(settings, keys)
    loaded = load_scenario(scenario, given)
    if len(loaded.steps) == 1 and "zones" not in given:
        # Loaded again, so that the faults are checked against the new number of zones.
        loaded = load_scenario(scenario, given | {"zones": load_scenario("scale").zones})
    _run(loaded, out, with_report, as_json)


def _run(scenario: Scenario, out: Path | None, with_report: bool, as_json: bool) -> None:
    """Run, draw and print; the exit code says whether the limits were kept."""
    check_map(scenario)
    with Interrupts() as interrupts, run_folder(out, scenario.name) as folder:
        outcome = _measure(scenario, folder, interrupts)
        if with_report:
            report, drawn = _draw_report(outcome, folder, interrupts)
        else:
            report, drawn = _not_drawn(folder), True
    summary = outcome.summary
    with interrupts.last_words():
        say(as_json_text(summary) if as_json else summary_text(summary))
        if report:
            (tell if as_json or not drawn else say)(report)
    if interrupts.count:
        raise click.exceptions.Exit(INTERRUPTED)
    kept = outcome.saved and summary.failure is None and summary.limits.ok and drawn
    raise click.exceptions.Exit(DONE if kept else BROKE_LIMITS)


@contextmanager
def run_folder(out: Path | None, scenario_name: str) -> Iterator[Path]:
    """Create the folder of a run, and prove that files can be written there.

    A new folder is removed again when the run leaves it empty. Raises BadInput.
    """
    from zonesim.results.saved_run import new_run_directory

    folder = out or new_run_directory(REPORTS, scenario_name, datetime.now(UTC))
    existed = os.path.exists(folder)  # unlike Path.exists, False for a name too long
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"{folder}: expected a new or empty folder for --out, found files")
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"zonesim")
    except OSError as error:
        raise BadInput(
            f"{folder}: results cannot be written here: {error.strerror}; "
            "choose another folder with --out"
        ) from None
    try:
        yield folder
    finally:
        if not existed:
            with suppress(OSError):  # it holds files
                folder.rmdir()


def check_map(scenario: Scenario) -> None:
    """Read a scenario's map file, so that an invalid one is found before anything starts."""
    if scenario.map.path:
        from zonesim.world.map import MapError, load_map

        with bad_input(MapError):
            load_map(Path(scenario.map.path))


def draw(folder: Path, on_figure: Callable[[], None] = lambda: None) -> Path:
    """Draw the figures and the report of a measured run. Raises BadInput.

    ``on_figure`` is called before each figure, and may raise to stop.
    """
    from zonesim.report.page import redraw
    from zonesim.results.saved_run import OutputError, RunError

    with bad_input(RunError, OutputError):
        return redraw(folder, on_figure, tell)


def summary_text(summary: Summary) -> str:
    """Verdict, processes, table of steps, why the run failed, broken limits, and world hash."""
    from zonesim.results.step_table import step_table

    first = [] if summary.verdict is None else [summary.verdict]
    first += [] if summary.packing is None else [summary.packing.text]
    first += [""] if first else []
    lines = [] if summary.failure is None else [f"run failed: {summary.failure}"]
    lines += [f"limit broken: {what}" for what in summary.limits.broken]
    lines.append(f"world hash: {summary.world_hash}")
    return "\n".join([*first, step_table(summary.steps), "", *lines])


def _measure(scenario: Scenario, folder: Path, interrupts: Interrupts) -> Outcome:
    """Run the scenario, to its end or to the first signal.

    Raises BadInput, and KeyboardInterrupt where signals came before anything was measured.
    """
    from zonesim.processes.preload import start_fork_server
    from zonesim.system.errors import RunFailed

    interrupts.check()
    with bad_input(RunFailed):
        start_fork_server(max(scenario.steps))

    # After the fork server: these imports take as long as it takes to start.
    from zonesim.controller.run import run_scenario
    from zonesim.live.view import LiveView
    from zonesim.results.saved_run import OutputError

    interrupts.check()
    with bad_input(RunFailed, OutputError), LiveView() as view:
        return run_scenario(scenario, folder, view.update, view.notice, interrupts)


def _draw_report(outcome: Outcome, folder: Path, interrupts: Interrupts) -> tuple[str, bool]:
    """Draw the report of a run unless two signals stop it; a line about it, and no failure."""
    if not outcome.saved:
        return "", True  # there are no figures, and that has been reported
    try:
        with interrupts.breaking():
            return f"report: {draw(folder, lambda: interrupts.check(2))}", True
    except KeyboardInterrupt:
        return _not_drawn(folder), True
    except BadInput as error:  # the disk has become full; the figures are there
        return f"zonesim: error: {error}", False


def _not_drawn(folder: Path) -> str:
    return f"report: not drawn; zonesim report {folder} draws it"
