"""A run from the command line: its folder, its figures, its report. Prints nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zonesim.scenario import Scenario

if TYPE_CHECKING:
    from zonesim.results import Summary

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
    from zonesim.results import new_run_directory

    folder = out or new_run_directory(REPORTS, scenario_name, datetime.now(UTC))
    was_there = os.path.exists(folder)  # as Path.exists, but False for a name too long
    _prepare(folder)
    try:
        yield folder
    finally:
        if not was_there:
            with suppress(OSError):  # it holds files
                folder.rmdir()


def measure(scenario: Scenario, folder: Path) -> tuple[Summary, bool]:
    """Run the scenario; its summary, and whether Ctrl-C ended it early. Raises BadInput."""
    from zonesim.errors import RunFailed
    from zonesim.live import LiveView
    from zonesim.results import RUN_FILE, OutputError, RunError, load_run, summarise
    from zonesim.run import run_scenario

    with bad_input(RunFailed, OutputError, RunError):
        try:
            with LiveView() as view:
                return run_scenario(scenario, folder, view.update, view.notice), False
        except KeyboardInterrupt:
            if not (folder / RUN_FILE).exists():
                raise
            try:
                return summarise(load_run(folder)), True
            except RunError:  # it came before there was anything to save
                raise KeyboardInterrupt from None


def draw(folder: Path) -> Path:
    """Draw the figures and the report of a run that was measured. Raises BadInput."""
    from zonesim.report import redraw
    from zonesim.results import OutputError, RunError

    with bad_input(RunError, OutputError):
        return redraw(folder)


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
