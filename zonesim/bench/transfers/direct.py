"""Step 2.1 of the plan: no common queue. Each worker has pipes of its own, and gets each turn."""

from __future__ import annotations

from .crew import End
from .frames import FrameReader, framed, write_all
from .handle import NamedLine, answered
from .lines import Lines
from .rung import Rung


class Direct(Rung):
    """A pipe for each worker, in turn; one message for each call."""

    name = "direct"

    def open_lines(self) -> Lines:
        """One line for each worker."""
        return Lines(lambda: NamedLine(self.name, 1, serve), self.workers)


# -- in a worker


def serve(calls: End, replies: End) -> None:
    """Answer all that one look finds; nobody else reads from this pipe."""
    reader = FrameReader(calls.fileno())
    while True:
        for message in reader.read():
            write_all(replies.fileno(), framed(answered(message)))
