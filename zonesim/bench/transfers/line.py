"""One way to some workers and back, which breaks as a whole. Knows no bytes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import corororo as cr
from corororo.abc import Completion

from .answers import Sent
from .crew import Worker, context
from .frames import FrameWriter


class Line(ABC):
    """What a rung has of its own: how calls go out, and how answers come back.

    ``send`` raises what the encoder does, with nothing sent. ``take`` raises BlockingIOError where
    nothing is there, EOFError where nothing more will come; a line of several workers leaves that
    to their sentinels.
    """

    calls_together: ClassVar[int] = 1  # in one message, at most
    messages_out: ClassVar[int] = 64  # at most, for each worker
    sentinels: Sequence[int] = ()

    def __init__(self) -> None:
        self.out = 0  # messages that were not answered yet

    @property
    @abstractmethod
    def replies_fd(self) -> int:
        """Turns readable when an answer comes."""

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether it takes one more message."""

    @abstractmethod
    def send(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """Send calls in one message; never waits."""

    @abstractmethod
    def take(self, ready: list[Completion]) -> None:
        """Add what one look finds to ``ready``."""

    @abstractmethod
    def all_out(self) -> Iterable[Sent]:
        """What was not answered yet."""

    @abstractmethod
    def close(self) -> None:
        """End the workers and close the pipes; once."""

    @property
    def stuck(self) -> FrameWriter | None:
        """What waits for room in its pipe; None where nothing does."""
        return None

    def forget(self) -> None:
        """Nobody waits for what is out any more."""
        for sent in self.all_out():
            sent.forgotten = True

    def lost(self) -> Iterator[Completion]:
        """The end of what was out when the line broke."""
        return (sent.lost() for sent in self.all_out() if not sent.forgotten)

    def done(self, sent: Sent, reply: bytes | memoryview, ready: list[Completion]) -> None:
        """One message was answered."""
        self.out -= 1
        if not sent.forgotten:
            ready.append(sent.completion(reply))


class PipeLine(Line):
    """A line of two pipes: calls go down one, answers come up the other."""

    def __init__(self, name: str, workers: int, target: Any, *shared: object) -> None:  # noqa: ANN401 - typed by each rung
        super().__init__()
        with ExitStack() as undo:
            calls, self._calls = (undo.enter_context(end) for end in context().Pipe(duplex=False))
            self._replies, replies = (undo.enter_context(e) for e in context().Pipe(duplex=False))
            self.workers: list[Worker] = []
            for _ in range(workers):
                self.workers.append(Worker(name, target, calls, replies, *shared))
                undo.callback(self.workers[-1].end)
            calls.close()
            replies.close()
            self._parts = undo.pop_all()
        self._window = self.messages_out * workers
        self.writer = FrameWriter(self._calls.fileno())
        os.set_blocking(self.replies_fd, False)

    @property
    def replies_fd(self) -> int:
        """The end that we read from."""
        return self._replies.fileno()

    @property
    def has_room(self) -> bool:
        """Not where the workers have enough to do, or the pipe is full."""
        return self.out < self._window and not self.writer.is_full

    @property
    def stuck(self) -> FrameWriter | None:
        """The pipe of the calls."""
        return self.writer if self.writer.is_full else None

    def close(self) -> None:
        """End the workers and close the pipes."""
        self._parts.close()
