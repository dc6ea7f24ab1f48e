"""A run from the command line: its folder, its figures, its report. Prints nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zonesim.scenario.loading import Scenario
from zonesim.system.interrupts import Interrupts

if TYPE_CHECKING:
    from zonesim.controller.run import Outcome

# What runs processes or draws is imported by the function that needs it, so that
# `zonesim --help` answers at once.

REPORTS = Path("reports")  # below the working directory


class BadInput(Exception):
    """Something that the user can mend; the message is one line."""


@contextmanager
def bad_input(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that the user can mend into BadInput."""
    try:
        yield
    except errors as error:
        raise BadInput(str(error)) from error


@contextmanager
def run_folder(out: Path | None, scenario_name: str) -> Iterator[Path]:
    """Make the folder of a run, and prove that files can be written there.

    A folder made here goes again when the run leaves it empty. Raises BadInput.
    """
    from zonesim.results.saved_run import new_run_directory

    folder = out or new_run_directory(REPORTS, scenario_name, datetime.now(UTC))
    was_there = os.path.exists(folder)  # as Path.exists, but False for a name too long
    _prepare(folder)
    try:
        yield folder
    finally:
        if not was_there:
            with suppress(OSError):  # it holds files
                folder.rmdir()


def measure(scenario: Scenario, folder: Path, interrupts: Interrupts) -> Outcome:
    """Run the scenario, to its end or to the first signal.

    Raises BadInput, and KeyboardInterrupt where signals came before anything was measured.
    """
    from zonesim.processes.preload import start_fork_server
    from zonesim.system.errors import RunFailed

    interrupts.check()
    with bad_input(RunFailed):
        start_fork_server(max(scenario.steps))

    # After it: they take as long to import as it takes to come up.
    from zonesim.controller.run import run_scenario
    from zonesim.live.view import LiveView
    from zonesim.results.saved_run import OutputError

    interrupts.check()
    with bad_input(RunFailed, OutputError), LiveView() as view:
        return run_scenario(scenario, folder, view.update, view.notice, interrupts)


class ReportTold(NamedTuple):
    """What there is to say about the report of a run."""

    line: str  # "" where all has been said
    failed: bool = False


def draw_outcome(outcome: Outcome, folder: Path, interrupts: Interrupts) -> ReportTold:
    """Draw the report of a run that has just ended, unless two signals have asked for the end."""
    if not outcome.saved:
        return ReportTold("")  # what it would be drawn from is not there, as has been told
    try:
        with interrupts.breaking():
            return ReportTold(f"report: {draw(folder, lambda: interrupts.check(2))}")
    except KeyboardInterrupt:
        return not_drawn(folder)
    except BadInput as error:  # the disk has become full; the figures are there
        return ReportTold(f"zonesim: error: {error}", failed=True)


def not_drawn(folder: Path) -> ReportTold:
    """What there is to say about a report that nobody has waited for."""
    return ReportTold(f"report: not drawn; zonesim report {folder} draws it")


def draw(folder: Path, on_figure: Callable[[], None] = lambda: None) -> Path:
    """Draw the figures and the report of a run that was measured. Raises BadInput.

    ``on_figure`` is called before each one, and may break it off.
    """
    from zonesim.report.page import redraw
    from zonesim.results.saved_run import OutputError, RunError

    with bad_input(RunError, OutputError):
        return redraw(folder, on_figure)


def check_map(scenario: Scenario) -> None:
    """Read a scenario's map file, so that a broken one is found before anything starts."""
    if scenario.map.path:
        from zonesim.world.map import MapError, load_map

        with bad_input(MapError):
            load_map(Path(scenario.map.path))


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"{folder}: expected a new or empty folder for --out, found files")
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"zonesim")
    except OSError as error:
        raise BadInput(
            f"{folder}: the report must be written here, found: {error.strerror}; "
            "give another folder with --out"
        ) from None
