"""Ctrl-C, SIGTERM and SIGHUP: how they end a command or a run.

Python's KeyboardInterrupt, raised at any point, would break off cleanup and half-started processes,
and show tracebacks while the program still loads. So signals end a command at once before it has
begun, are ignored once its exit code is settled, and are counted during a run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self, TypeAlias

INTERRUPTED = 130  # the exit code, as shells report a SIGINT
PATIENCE_S = 1.0
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


def end_at_once() -> None:
    """From now on a signal ends this process immediately: nothing has begun yet."""
    _handle(lambda *_: os._exit(INTERRUPTED), _not_ignored())


def end_undisturbed() -> None:
    """From now on signals are ignored: the exit code is settled."""
    _handle(signal.SIG_IGN, ENDING)


@contextmanager
def raising_keyboard_interrupt() -> Iterator[None]:
    """Treat all of them as Ctrl-C: for code that can be interrupted anywhere."""
    before = _handle(signal.default_int_handler, _not_ignored())
    try:
        yield
    finally:
        _restore(before)


class Interrupts:
    """Counts the signals that ask a run to end; a context manager.

    The first signal asks for the results so far, the second for the end. They interrupt nothing by
    themselves: a run waits for them, and other code checks ``count`` between two steps.
    """

    def __init__(self) -> None:
        self.count = 0
        self._latest_s = 0.0
        self._breakable = False
        self._hung_up = False
        self._notify: Callable[[], object] = lambda: None
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> Self:
        # SIGINT also ends a run in the background, whose shell has it ignored.
        self._before = _handle(self._take, {signal.SIGINT, signal.SIGTERM, *_not_ignored()})
        return self

    def __exit__(self, *exc_info: object) -> None:
        _restore(self._before)

    def check(self, enough: int = 1) -> None:
        """Raise KeyboardInterrupt if there have been so many signals."""
        if self.count >= enough:
            raise KeyboardInterrupt

    async def wait_for(self, count: int) -> None:
        """Wait until there have been so many signals; one trio task at a time."""
        import trio  # not needed by commands that do not wait

        token = trio.lowlevel.current_trio_token()
        try:
            while self.count < count:
                arrived = trio.Event()
                self._notify = lambda event=arrived: token.run_sync_soon(event.set)  # type: ignore[misc]
                if self.count < count:  # otherwise it arrived before the line above
                    await arrived.wait()
        finally:
            self._notify = lambda: None

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """For work that does not check ``count``: a later second signal interrupts it.

        Later means after PATIENCE_S, since the work may be about to end by itself.
        """
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """For the last output: after two signals, raise KeyboardInterrupt if it takes too long."""
        if self.count < 2:
            yield
            return
        before = _handle(signal.default_int_handler, [signal.SIGALRM])
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            _restore(before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            if self._hung_up:
                return  # the shell and the kernel both send one when a terminal closes
            self._hung_up = True
        self.count += 1
        before_s, self._latest_s = self._latest_s, time.monotonic()
        self._notify()
        if self._breakable and self.count > 1 and self._latest_s - before_s > PATIENCE_S:
            self._breakable = False  # the cleanup after it must not be interrupted
            raise KeyboardInterrupt


def _not_ignored() -> list[int]:
    """The signals that the caller has not set to be ignored, as nohup does."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def _handle(handler: _Handler, numbers: Iterable[int]) -> dict[int, _Handler]:
    return {number: signal.signal(number, handler) for number in numbers}


def _restore(before: dict[int, _Handler]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
