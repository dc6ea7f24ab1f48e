"""Where the live view puts its text: the file of a stream, by a descriptor of its own.

Python's own streams hold a lock while they write, and Python waits for it at its end: for ever,
where a thread writes to a terminal that nobody reads. Knows nothing of what is written.
"""

from __future__ import annotations

import io
import os
import select
from types import TracebackType
from typing import Self, TextIO


class Outlet:
    """Writes to where a stream goes, past its buffer; a context manager."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._file: int | None = None  # None: the stream is text in memory

    def __enter__(self) -> Self:
        """Raises OSError where there is nothing behind the stream any more."""
        try:
            number = self._stream.fileno()
        except io.UnsupportedOperation:
            return self
        self._file = os.dup(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def put(self, text: str) -> None:
        """Return when all of it is written, however long that takes; raises OSError."""
        if self._file is None:
            self._stream.write(text)
            self._stream.flush()
            return
        rest = text.encode(self._encoding, "backslashreplace")
        while rest:
            try:
                rest = rest[os.write(self._file, rest) :]
            except BlockingIOError:  # somebody who has this file, too, wants no waiting
                select.select((), (self._file,), ())  # and no poll(): macOS has none for terminals
