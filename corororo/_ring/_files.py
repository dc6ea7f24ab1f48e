"""Files of a session: private to this user, and forgotten by processes that are forked.

Their directory is private as well; either is enough.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PRIVATE = 0o600  # whatever umask this process was started with

_after_fork: weakref.WeakKeyDictionary[object, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def make_fifo(path: Path) -> None:
    """Make a FIFO; raises FileExistsError where one stands."""
    os.mkfifo(path, PRIVATE)


def write_file(path: Path, *parts: Any) -> None:
    """Write bytes objects and arrays to a file, in place of one that may stand there."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, PRIVATE)) as file:
        file.writelines(parts)


def remove_file(path: Path) -> None:
    """Remove a FIFO or a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def call_after_fork(owner: T, function: Callable[[T], None]) -> None:
    """Call ``function(owner)`` in each process that is forked from this one while ``owner`` lives.

    What a process holds of a pool is not its child's: a FIFO that a child kept open would keep
    workers alive, and a child that cleaned up at its end would remove its parent's files.
    """
    _after_fork[owner] = function


def _call_all() -> None:
    for owner, function in list(_after_fork.items()):
        function(owner)
    _after_fork.clear()


os.register_at_fork(after_in_child=_call_all)
