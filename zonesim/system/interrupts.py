"""Ctrl-C, SIGTERM and SIGHUP: what they do before a command, in it, in a run, and after it all.

Python's own way, an exception wherever the program happens to be, breaks off ends that are under
way and processes half started, and shows tracebacks before the program is loaded. So a command
begins and ends with signals that end it or are ignored, and a run counts them. Ends no run itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn, Self, TypeAlias

INTERRUPTED = 130  # the exit code, as shells report a SIGINT
PATIENCE_S = 1.0

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_at_once() -> None:
    """From now on a signal ends this process on the spot: nothing has begun."""
    _handle(_exit, [number for number in ENDING if _is_heeded(number)])


def end_undisturbed() -> None:
    """From now on signals change nothing any more: the exit code is settled."""
    _handle(signal.SIG_IGN, ENDING)


@contextmanager
def raising_keyboard_interrupt() -> Iterator[None]:
    """Take all of them for Ctrl-C, as Python does: for what cleans up after itself anywhere."""
    heeded = [number for number in ENDING if _is_heeded(number)]
    before = _handle(signal.default_int_handler, heeded)
    try:
        yield
    finally:
        _restore(before)


class Interrupts:
    """Counts the signals that ask a run to end; a context manager.

    The first one asks for what was measured, the second for the end. They break nothing off by
    themselves: a run waits for them, and whoever does one short thing after another looks at
    ``count`` in between.
    """

    def __init__(self) -> None:
        self.count = 0
        self._latest_s = 0.0
        self._breakable = False
        self._hung_up = False
        self._tell: Callable[[], object] = _nobody
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> Self:
        # Whoever starts a run in the background still ends it with SIGINT.
        numbers = [n for n in ENDING if n != signal.SIGHUP or _is_heeded(n)]
        self._before = _handle(self._take, numbers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _restore(self._before)

    def check(self, enough: int = 1) -> None:
        """Raise KeyboardInterrupt when there have been so many."""
        if self.count >= enough:
            raise KeyboardInterrupt

    async def wait_for(self, count: int) -> None:
        """Return when there have been so many; for one task of a trio program at a time."""
        import trio  # which this program may do without, until it waits

        token = trio.lowlevel.current_trio_token()
        try:
            while self.count < count:
                come = trio.Event()
                self._tell = lambda come=come: token.run_sync_soon(come.set)  # type: ignore[misc]
                if self.count < count:  # else it came before anybody was told
                    await come.wait()
        finally:
            self._tell = _nobody

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """For work that looks at no count: who asks again after a second breaks it off.

        Sooner, it may be about to end by itself, and to break it off has its price.
        """
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """For what is said when all is done: who has asked twice waits a second for its reader.

        Raises KeyboardInterrupt then.
        """
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
                return  # a shell and the system each tell of one end of a terminal
            self._hung_up = True
        self.count += 1
        before_s, self._latest_s = self._latest_s, time.monotonic()
        self._tell()
        if self._breakable and self.count > 1 and self._latest_s - before_s > PATIENCE_S:
            self._breakable = False  # once: its end is not to be broken off as well
            raise KeyboardInterrupt


def _is_heeded(number: int) -> bool:
    """Whether nobody has asked to have a signal ignored, as nohup does."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _handle(handler: _Handler, numbers: Iterable[int]) -> dict[int, _Handler]:
    return {number: signal.signal(number, handler) for number in numbers}


def _restore(before: dict[int, _Handler]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(INTERRUPTED)


def _nobody() -> None:
    pass
