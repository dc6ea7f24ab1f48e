"""Starts workers for the places of one pool, and does not give up at once. Knows none that run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from corororo._platform import is_out_of_files
from corororo._ring import Session
from corororo.abc import IdleStrategy

from ._process import WorkerProcess

T = TypeVar("T")

TRIES = 100
RETRY_S = 0.01


class Plan(NamedTuple):
    """How the workers of a pool are to be."""

    name: str
    imports: Sequence[str]
    preload: Sequence[str]
    idle: IdleStrategy
    cpus: tuple[int, ...]

    def start(self, number: int, place: int, session: Session) -> WorkerProcess:
        """A worker for a place of the pool."""
        return WorkerProcess(
            number,
            place,
            f"{self.name} worker {place + 1}",
            str(session.directory),
            self.imports,
            self.preload,
            self.idle,
            self.cpus[place % len(self.cpus)] if self.cpus else None,
        )


class Hiring:
    """Starts the workers of one pool; no number is given twice."""

    def __init__(self, session: Session, plan: Plan, stopping: threading.Event) -> None:
        """``stopping`` ends every wait."""
        self._session = session
        self._plan = plan
        self._stopping = stopping
        self._next_number = 1

    def start(self, place: int, *, patient: bool = True) -> WorkerProcess:
        """A new worker for a place; raises OSError or EOFError where none can be started.

        ``patient``: some file of the program may be closed any moment.
        """
        number = self._next_number
        self._next_number += 1
        for _ in range(TRIES):
            try:
                return self._plan.start(number, place, self._session)
            except (ConnectionError, EOFError):
                pass  # a fork server that has just died, until the system has noticed its end
            except OSError as error:
                if not (patient and is_out_of_files(error)):
                    raise
            self._stopping.wait(RETRY_S)
        return self._plan.start(number, place, self._session)


def patiently(open_files: Callable[[], T], stopping: threading.Event) -> T:
    """Try it for a while where no file can be opened: some may be closed any moment."""
    for _ in range(TRIES):
        try:
            return open_files()
        except OSError as error:
            if not is_out_of_files(error):
                raise
        stopping.wait(RETRY_S)
    return open_files()
