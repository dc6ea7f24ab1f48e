"""What a process that was forked from the forkserver takes over from its owner instead."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple


class Surroundings(NamedTuple):
    """Import path, arguments, working directory, environment and warnings filters."""

    path: list[str]
    arguments: list[str]
    directory: str | None
    environment: dict[str, str]
    filters: list[bytes]  # pickled: each names a class, which the process may not have

    @classmethod
    def now(cls) -> Surroundings:
        """Those of this process."""
        filters: list[bytes] = []
        for entry in warnings.filters:
            with contextlib.suppress(Exception):  # a class that cannot be found by its name
                filters.append(bytes(ForkingPickler.dumps(entry)))
        return cls([*sys.path], [*sys.argv], working_directory(), dict(os.environ), filters)

    def restore(self) -> None:
        """Make all but the filters those of this process; a directory that is gone is left out."""
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:], sys.argv[:] = self.path, self.arguments
        if self.directory is not None:
            with contextlib.suppress(OSError):
                os.chdir(self.directory)

    def restore_filters(self) -> None:
        """Make the filters those of this process, after the imports that they may not be for."""
        filters: list[Any] = []
        for entry in self.filters:
            with contextlib.suppress(Exception):  # its module cannot be imported here
                filters.append(ForkingPickler.loads(entry))
        warnings.resetwarnings()
        warnings.filters[:] = filters  # type: ignore[index]


def working_directory() -> str | None:
    """The path of the working directory; None where it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
