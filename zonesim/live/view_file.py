"""The latest snapshot of a run, a file in its session directory: published, found and followed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from corororo.processes import owner_lives
from zonesim.results.saved_run import RUN_FILE, run_folder_of
from zonesim.results.step_table import count_zones
from zonesim.system.sessions import live_runs
from zonesim.system.text import encodable, write_whole

from .progress import Progress

VIEW_FILE = "view.json"
LOOK_S = 0.25  # as often as a run publishes
SILENCE_S = 3.0  # a run that publishes nothing for so long is stuck


class ViewError(Exception):
    """A view that cannot be read; one line."""


class NoView(ViewError):
    """The run has just begun, or has ended."""


class NoSuchRun(Exception):
    """The request fits no run, or several; one line."""


class View(msgspec.Struct, frozen=True):
    """A snapshot of a run, and where it comes from."""

    format: Literal[1]
    folder: str  # of its results; absolute, without links, undecodable bytes escaped
    at_ns: int  # on the monotonic clock
    progress: Progress


class WatchedRun(NamedTuple):
    """A run in progress, as it was when it was found."""

    session: Path
    view: View


class ViewFile:
    """Publishes the snapshots of a run."""

    def __init__(self, session: Path, folder: Path) -> None:
        self._path = session / VIEW_FILE  # in a folder that its user alone can read
        self._folder = encodable(str(folder.resolve()))

    def publish(self, progress: Progress) -> None:
        """Replace the last snapshot; readers see the whole of one of the two."""
        view = View(1, self._folder, time.monotonic_ns(), progress)
        with suppress(OSError):  # without space, the run continues unseen; viewers see the age
            write_whole(self._path, msgspec.json.encode(view), mode=0o600)


def read_view(session: Path) -> View:
    """Read the latest view of the run with this session directory; ViewError or NoView."""
    path = session / VIEW_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=View)
    except FileNotFoundError:
        raise NoView(f"{path}: expected the view of a run, found no such file") from None
    except msgspec.DecodeError as error:
        raise ViewError(
            f"{path}: expected the view of a run in format 1, found: {error}; "
            "look at it with the zonesim that runs it"
        ) from None


def watched_runs() -> list[WatchedRun]:
    """Find all runs of this user that are in progress and have a view. Raises ViewError."""
    runs = []
    for run in live_runs():
        with suppress(NoView):
            runs.append(WatchedRun(run.directory, read_view(run.directory)))
    return runs


def choose(runs: list[WatchedRun], wanted: str | None) -> WatchedRun:
    """Return the run of a path, else of a name, or the only one. Raises NoSuchRun."""
    chosen = runs
    if wanted is not None:
        path = run_folder_of(Path(wanted))
        with suppress(FileNotFoundError):  # the working directory is gone
            path = path.resolve()
        name = encodable(str(path))
        chosen = [run for run in runs if name in (str(run.session), run.view.folder)]
        chosen = chosen or [
            run for run in runs if wanted in (run.session.name, Path(run.view.folder).name)
        ]
    if len(chosen) == 1:
        return chosen[0]
    if wanted is None or chosen:
        raise NoSuchRun(f"{len(chosen)} runs are in progress; give the folder or session of one")
    is_run = os.path.isfile(path / RUN_FILE)
    found = f"one that is not; zonesim report {wanted} draws it" if is_run else "none"
    raise NoSuchRun(f"{wanted}: expected the folder or session of a run in progress, found {found}")


def listed(runs: list[WatchedRun]) -> list[str]:
    """Describe each run in a line: its folder and what it does."""
    return [
        f"{folder}  {now.scenario}, step {now.step} of {now.steps}: "
        f"{count_zones(now.zones)}, {now.phase} for {now.elapsed_s:.0f} s"
        for folder, now in ((run.view.folder, run.view.progress) for run in runs)
    ]


def follow(session: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[View]:
    """Give the views of a run until it ends, a few each second. Raises ViewError."""
    with suppress(NoView):  # the run has just ended
        while owner_lives(session):
            yield read_view(session)
            sleep(LOOK_S)


def silent_s(view: View) -> float:
    """Return how long a run has published nothing; 0 if that is not unusual."""
    silence_s = (time.monotonic_ns() - view.at_ns) / 1e9
    return silence_s if silence_s >= SILENCE_S else 0.0
