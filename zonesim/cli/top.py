"""`zonesim top`: watch a run from another terminal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import json_option
from .output import BadInput, as_json_text, bad_input, say, tell

if TYPE_CHECKING:
    from zonesim.live.progress import Progress
    from zonesim.live.view_file import WatchedRun


@click.command()
@click.argument("run", required=False)
@click.option("--once", is_flag=True, help="Print the current state and exit.")
@json_option
def top(run: str | None, once: bool, as_json: bool) -> None:
    """Watch a run that another terminal has started.

    RUN is the folder of a run, a file in it, or its session; it is optional when only one run is in
    progress.

    Ctrl-C stops watching; the run continues. Without a terminal it prints a line every 10 seconds
    until the run ends. --json prints the latest progress, or null if no run is in progress.

    \b
    Examples:
      zonesim top
      zonesim top reports/20261123T101500Z-scale --once
    """
    import corororo as cr
    from zonesim.live.view_file import ViewError, watched_runs

    with bad_input(ViewError, cr.SessionError):
        runs = watched_runs()
        if not runs and run is None:
            (tell if as_json else say)("no run is in progress")
            if as_json:
                say(as_json_text(None))
            return
        chosen = _chosen(runs, run)
        if as_json:
            say(as_json_text(chosen.view.progress))
        elif once:
            say(_frame(chosen.view.progress))
        else:
            _watch(chosen)


def _chosen(runs: list[WatchedRun], wanted: str | None) -> WatchedRun:
    from zonesim.live.view_file import NoSuchRun, choose, listed

    try:
        return choose(runs, wanted)
    except NoSuchRun as error:
        for line in listed(runs):
            tell(line)
        raise BadInput(str(error)) from None


def _watch(run: WatchedRun) -> None:
    """Show the run until it ends or Ctrl-C comes."""
    from zonesim.live.view import LiveView
    from zonesim.live.view_file import follow, silent_s

    try:
        with LiveView(sys.stdout, say=say) as shown:
            for view in follow(run.session):
                silence_s = silent_s(view)
                shown.update(view.progress, f"silent for {silence_s:.0f} s" if silence_s else "")
    except KeyboardInterrupt:  # the way to stop watching
        return
    say(f"{Path(run.view.folder).name}: the run has ended")


def _frame(progress: Progress) -> str:
    """The table as text, with colours on a terminal."""
    from rich.console import Console

    from zonesim.live.table import LiveTable
    from zonesim.live.view import is_terminal

    width, height = shutil.get_terminal_size()
    console = Console(
        width=width, height=height, force_terminal=is_terminal(sys.stdout), highlight=False
    )
    with console.capture() as captured:
        console.print(LiveTable(progress))
    return captured.get().rstrip("\n")
