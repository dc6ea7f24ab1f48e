"""Phase 2.1: no common queue; each worker has pipes of its own, and they take turns."""

from __future__ import annotations

from collections.abc import Iterator

from corororo.abc import Completion

from .handles import HandleTable, answer
from .rung import End, PipeRung, Sent


def serve(calls: End, replies: End) -> None:
    """Answer one call after another."""
    while True:
        replies.send_bytes(answer(calls.recv_bytes()))


class Direct(PipeRung):
    """Pipes for each worker, and one message for each call."""

    serve = staticmethod(serve)

    def start(self) -> None:
        """Also make the table of handles."""
        self._table = HandleTable()
        super().start()

    def send(self, sent: Sent) -> None:
        """To the worker whose turn it is."""
        self._calls[self.next_place()].send_bytes(self._table.message(sent))

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """Replies find their calls by the handle."""
        for _, message in self.messages(timeout_s):
            yield self._table.completion(message)
