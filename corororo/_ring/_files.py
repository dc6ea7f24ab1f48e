"""Files of a session: made so that only this user can open them, and removed. Knows no contents.

Their directory keeps others out as well; each of the two holds without the other.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PRIVATE = 0o600  # whatever umask this process was started with


def make_fifo(path: Path) -> None:
    """A new FIFO that only this user can open; raises FileExistsError where one stands."""
    os.mkfifo(path, PRIVATE)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that only this user can open, in place of one that may stand there."""
    with open(path, "wb", opener=_open_private) as file:
        file.write(data)


def remove_file(path: Path) -> None:
    """Unlink a FIFO or a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):  # its owner, or the owner's heir, was faster
        path.unlink()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)
