"""What others may see of a run that goes on: its latest Progress, a file in its session directory.

A file that is replaced, and no socket: whoever reads it, slowly or not at all, is nobody that the
run could wait for, and the directory lets in nobody but this user. Knows no terminal.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from zonesim.live.progress import Progress
from zonesim.system.text import encodable

VIEW_FILE = "view.json"
VIEW_BYTES_MAX = 1 << 20  # far more than there ever is to see


class ViewError(Exception):
    """A view that cannot be read; one line."""


class NoView(ViewError):
    """There is none: the run has just begun, or has ended."""


class View(msgspec.Struct, frozen=True):
    """A run as it was a moment ago."""

    format: Literal[2]
    folder: str  # where the run writes its report; absolute, without links, what is no text escaped
    at_ns: int  # on the monotonic clock
    progress: Progress


class ViewFile:
    """The run's end of it."""

    def __init__(self, session: Path, folder: Path) -> None:
        self._path = session / VIEW_FILE
        self._unfinished = session / f".{VIEW_FILE}"
        self._folder = encodable(str(folder.resolve()))

    def publish(self, progress: Progress) -> None:
        """Replace what was there; readers see the whole of the one or of the other."""
        view = View(2, self._folder, time.monotonic_ns(), progress)
        # A run goes on without being seen where there is no room left; who watches sees its age.
        with suppress(OSError):
            with open(self._unfinished, "wb", opener=_open_private) as file:
                file.write(msgspec.json.encode(view))
            os.replace(self._unfinished, self._path)


def read_view(session: Path) -> View:
    """The latest view of the run with this session directory. Raises ViewError, or NoView."""
    path = session / VIEW_FILE
    try:
        with open(path, "rb") as file:
            data = file.read(VIEW_BYTES_MAX)
        return msgspec.json.decode(data, type=View)
    except FileNotFoundError:
        raise NoView(f"{path}: expected the view of a run, found no such file") from None
    except OSError as error:
        raise ViewError(f"{path}: the view of a run cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ViewError(
            f"{path}: expected the view of a run in format 2, found: {error}; "
            "look at it with the zonesim that runs it"
        ) from None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # whatever umask the run was started with
