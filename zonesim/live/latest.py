"""A thread that does one thing with the latest of what it is given. Does not know what that is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

CLOSE_S = 1.0

T = TypeVar("T")


class LatestThread(Generic[T]):
    """Calls ``work`` for whoever must not wait for it; a context manager.

    What comes while ``work`` is at something takes the place of what waits for it. At the end the
    last one is still done, unless that takes long. ``work`` raises nothing.
    """

    def __init__(self, name: str, work: Callable[[T], None]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._waiting: list[T] = []  # none, or one
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def give(self, what: T) -> None:
        """Have it done soon, if nothing newer comes before; returns at once."""
        with self._changed:
            self._waiting = [what]
            self._changed.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                what = self._waiting.pop()
            self._work(what)
