"""A rung: a pool as far as a Scheduler knows. Knows no bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import corororo as cr

from .lines import Lines
from .rung_transfer import RungTransfer


class Rung(ABC):
    """Workers that one Scheduler at a time may use; a context manager."""

    name: ClassVar[str]

    def __init__(self, workers: int = 2) -> None:
        self.workers = workers
        self._lines: Lines | None = None
        self._transfer: RungTransfer | None = None

    @abstractmethod
    def open_lines(self) -> Lines:
        """Start the workers."""

    def open_transfer(self) -> RungTransfer:
        """The way to the workers, for the only Scheduler that may use them now."""
        if self._lines is None:
            raise cr.PoolClosed(
                f"{self.name}: expected open workers; use it as `with ... as rung:`"
            )
        if self._transfer is not None and not self._transfer.closed:
            raise RuntimeError(
                f"{self.name}: expected one Scheduler at a time; close the other one"
            )
        self._transfer = RungTransfer(self._lines)
        return self._transfer

    def close(self) -> None:
        """End the workers, and the transfer that is open; idempotent."""
        if self._transfer is not None:
            self._transfer.close()
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def __enter__(self) -> Self:
        self._lines = self.open_lines()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
