"""All lines of a rung: whose turn it is, which have answers, which have broken. Knows no bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

import corororo as cr
from corororo.abc import Completion

from .line import Line


class Lines:
    """Lines that take turns. One that breaks is replaced by another, with workers of its own."""

    def __init__(self, open_line: Callable[[], Line], count: int) -> None:
        self._open_line = open_line
        self._selector = DefaultSelector()
        self._lines: list[Line] = []
        self._turn = 0
        self._stuck: dict[Line, int] = {}  # whose pipes are full, and where that is watched
        try:
            for _ in range(count):
                self._add(len(self._lines))
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def calls_together(self) -> int:
        """Calls that may travel in one message."""
        return self._lines[0].calls_together

    def next_with_room(self) -> Line | None:
        """The line whose turn it is, of those that take one more message."""
        for _ in self._lines:
            self._turn = (self._turn + 1) % len(self._lines)
            line = self._lines[self._turn]
            if line.has_room:
                return line
        return None

    def send(
        self,
        line: Line,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """Send calls over one of them; see that the rest follows where its pipe is full."""
        line.send(function, ticket, start, calls)
        line.out += 1
        stuck = line.stuck
        if stuck is not None and line not in self._stuck:
            self._stuck[line] = stuck.fd
            self._selector.register(stuck.fd, EVENT_WRITE, line)

    def take(self) -> list[Completion]:
        """What has come back, from those that broke as well."""
        ready: list[Completion] = []
        broken = set()
        for key, events in self._selector.select(0):
            line: Line = key.data
            if line in broken:
                continue
            if events & EVENT_WRITE:
                self._flush(line)
            elif not _goes_on(line, key.fd, ready):
                broken.add(line)
        for line in broken:
            ready += line.lost()
            self._replace(line)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        """Block until an answer is there, or room in a full pipe, or the time is over."""
        self._selector.select(timeout_s)

    def fileno(self) -> int:
        """Turns readable when ``wait`` would end."""
        return self._selector.fileno()

    def forget(self) -> None:
        """Nobody waits for what is out any more."""
        for line in self._lines:
            line.forget()

    def close(self) -> None:
        """Close all of them; once."""
        for line in self._lines:
            line.close()
        self._lines.clear()
        self._selector.close()

    def _add(self, place: int) -> None:
        line = self._open_line()
        self._lines.insert(place, line)
        for fd in (line.replies_fd, *line.sentinels):
            self._selector.register(fd, EVENT_READ, line)

    def _replace(self, line: Line) -> None:
        place = self._lines.index(line)
        for fd in (line.replies_fd, *line.sentinels):
            self._selector.unregister(fd)
        if line in self._stuck:
            self._selector.unregister(self._stuck.pop(line))
        self._lines.remove(line)
        line.close()
        self._add(place)

    def _flush(self, line: Line) -> None:
        stuck = line.stuck
        if stuck is not None:
            stuck.flush()
        if line.stuck is None:
            self._selector.unregister(self._stuck.pop(line))


def _goes_on(line: Line, fd: int, ready: list[Completion]) -> bool:
    """Take from a line that has something to say; False where it has broken."""
    try:
        line.take(ready)
        while fd in line.sentinels:  # a worker has ended: what was answered before is answered
            line.take(ready)
    except BlockingIOError:
        return fd not in line.sentinels
    except EOFError:
        return False
    return True
