"""Following a run that another process does, by the view that it leaves. Draws nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from corororo.processes import owner_lives
from zonesim.live.view_file import NoView, View, read_view
from zonesim.results.step_table import count_zones
from zonesim.system.sessions import live_runs

LOOK_S = 0.25  # a run renews its view as often
SILENCE_S = 3.0  # a run that renews nothing for so long stands still


class NoSuchRun(Exception):
    """Which run is meant cannot be told; one line."""


class WatchedRun(NamedTuple):
    """A run that goes on, as it was when it was found."""

    session: Path
    view: View


def watched_runs() -> list[WatchedRun]:
    """All runs of this user that go on and show themselves. Raises ViewError."""
    runs = []
    for run in live_runs():
        with suppress(NoView):  # it has just begun, or ended
            runs.append(WatchedRun(run.directory, read_view(run.directory)))
    return runs


def choose(runs: list[WatchedRun], wanted: str | None) -> WatchedRun:
    """The run of a folder or session, or the only one. Raises NoSuchRun.

    A path says more than a name, which folders elsewhere may have as well.
    """
    chosen = runs if wanted is None else _meant(runs, wanted)
    if len(chosen) == 1:
        return chosen[0]
    if wanted is None or chosen:
        raise NoSuchRun(f"{len(chosen)} runs go on; expected the folder or session of one")
    raise NoSuchRun(
        f"{wanted}: expected the folder or session of a run that goes on, found none; "
        "zonesim report RUN draws one that has ended"
    )


def listed(runs: list[WatchedRun]) -> list[str]:
    """A line for each run: its folder, and what it does."""
    width = max((len(run.view.folder) for run in runs), default=0)
    return [f"{run.view.folder:{width}}  {_doing(run.view)}" for run in runs]


def follow(session: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[View]:
    """The views of a run until it ends, a few a second. Raises ViewError."""
    with suppress(NoView):  # the run has ended in this moment
        while owner_lives(session):
            yield read_view(session)
            sleep(LOOK_S)


def silent_s(view: View) -> float:
    """For how long a run has not been heard of; 0 where that is nothing unusual."""
    silence_s = (time.monotonic_ns() - view.at_ns) / 1e9
    return silence_s if silence_s >= SILENCE_S else 0.0


def _meant(runs: list[WatchedRun], wanted: str) -> list[WatchedRun]:
    at_it = []
    with suppress(OSError, RuntimeError):  # the working directory is gone, or links go in circles
        path = Path(wanted).resolve()
        at_it = [run for run in runs if path in (run.session, Path(run.view.folder))]
    if at_it or os.path.exists(wanted):  # as Path.exists, but False for a name too long
        return at_it
    return [run for run in runs if wanted in (run.session.name, Path(run.view.folder).name)]


def _doing(view: View) -> str:
    progress = view.progress
    return (
        f"{progress.scenario}, step {progress.step} of {progress.steps}: "
        f"{count_zones(progress.zones)}, {progress.phase} for {progress.elapsed_s:.0f} s"
    )
