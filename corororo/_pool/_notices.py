"""What a pool has to tell its zones, kept until each has heard it. Knows no workers."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from pathlib import Path

from corororo._exceptions import FifoFull, PoolClosed
from corororo._ring import Descriptor, FifoWriter, Session

from ._spawning import patiently


class News:
    """Descriptors on their way from the pool to the reply FIFOs of its zones."""

    def __init__(self, session: Session, stopping: threading.Event) -> None:
        """``stopping`` ends every wait."""
        self._session = session
        self._stopping = stopping
        self._untold: list[tuple[Path, Descriptor]] = []

    @property
    def waits(self) -> bool:
        """Whether a zone whose FIFO is full has not heard all of it."""
        return bool(self._untold)

    def add(self, descriptor: Descriptor, ring: int) -> None:
        """For one zone."""
        self._untold.append((self._session.replies(ring), descriptor))

    def add_for_all(self, descriptor: Descriptor) -> None:
        """For all that are attached now."""
        zones = patiently(self._session.all_replies, self._stopping)
        self._untold += [(path, descriptor) for path in zones]

    def tell(self) -> None:
        """Tell what there is room for."""
        untold, self._untold = self._untold, []
        for path, descriptor in untold:
            # A zone that has gone in the meantime wants no news.
            with contextlib.suppress(PoolClosed):
                writer = patiently(partial(FifoWriter, path), self._stopping)
                try:
                    writer.write_nowait(descriptor)
                except FifoFull:
                    self._untold.append((path, descriptor))
                finally:
                    writer.close()
