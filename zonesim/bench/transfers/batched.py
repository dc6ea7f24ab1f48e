"""Step 2.4 of the plan: calls travel in batches, one message for each, to one worker each."""

from __future__ import annotations

from .lines import Lines
from .pooled import Pooled, PooledLine


class Batched(Pooled):
    """As Pooled, with many calls in a message."""

    name = "batched"

    def open_lines(self) -> Lines:
        """One line for each worker."""
        return Lines(lambda: BatchedLine(self.name), self.workers)


class BatchedLine(PooledLine):
    """At so many calls a message, system calls are lost in the noise."""

    calls_together = 64
    messages_out = 8
