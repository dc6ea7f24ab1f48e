"""Which worker gets a descriptor: whichever reads first, or the one at home. Knows no records.

"shared": one FIFO is read by all workers, the injector of all zones. "home": each worker has a
FIFO of its own, and each zone a worker that is its home and keeps what the zone uses in its
caches. A worker without work takes from the FIFO in which most waits, and a zone whose home is
busy asks the others to.
"""

from __future__ import annotations

import contextlib
from typing import Literal

from corororo._exceptions import FifoFull
from corororo._idle import Park
from corororo._ring import Descriptor, FifoReader, FifoWriter, Kind, Session
from corororo.abc import IdleStrategy

Placement = Literal["shared", "home"]


class Outbox:
    """A zone's way to the workers."""

    def __init__(self, session: Session, home: int | None, places: int) -> None:
        self._home = home or 0
        with contextlib.ExitStack() as undo:
            paths = [session.calls] if home is None else list(map(session.calls_of, range(places)))
            self._writers = []
            for path in paths:
                writer = FifoWriter(path)
                undo.callback(writer.close)
                self._writers.append(writer)
            self._parts = undo.pop_all()
        self._own = self._writers[self._home]
        self._helpers = [place for place in range(len(self._writers)) if place != self._home]
        self._turn = 0

    def send_nowait(self, descriptor: Descriptor, out: int) -> None:
        """Send to the home, and ask for help where ``out`` batches are there already.

        Raises FifoFull.
        """
        self._own.write_nowait(descriptor)
        if out:
            self.ask_for_help()

    @property
    def helpers(self) -> int:
        """How many workers there are beside the home."""
        return len(self._helpers)

    def ask_for_help(self) -> None:
        """Ask another worker to take from the home's FIFO; a hint, which may come to nothing.

        Each time it is the next one's turn: who was asked last may be as busy as the home.
        """
        if not self._helpers:
            return
        self._turn = (self._turn + 1) % len(self._helpers)
        place = self._helpers[self._turn]
        with contextlib.suppress(FifoFull):  # it has enough to do without us
            self._writers[place].write_nowait(Descriptor(Kind.STEAL, worker=self._home))

    def is_half_full(self) -> bool:
        """Whether as many wait where ours go as there is room left for."""
        return 2 * self._own.queued() >= self._own.capacity()

    def queued(self) -> int:
        """How many descriptors wait where ours go; 0 where that cannot be told."""
        return self._own.queued()

    def close(self) -> None:
        """Idempotent."""
        self._parts.close()


class Inbox:
    """A worker's way to the zones: its own FIFO, and those that it may take from."""

    def __init__(self, session: Session, home: int | None, places: int, idle: IdleStrategy) -> None:
        path = session.calls if home is None else session.calls_of(home)
        self._own = FifoReader(path, blocking=True)
        self._own_nowait = FifoReader(path, blocking=False)
        self._others = {
            place: FifoReader(session.calls_of(place), blocking=False)
            for place in range(0 if home is None else places)
            if place != home
        }
        self._idle = idle
        # One look less, where nothing is to be looked for.
        self._only_waits = isinstance(idle, Park) and not self._others
        self._retired = False

    def next(self) -> Descriptor | None:
        """The next descriptor, waited for as the idle strategy has it; None when none can come."""
        if self._only_waits and not self._retired:
            return self._wait()
        while not self._retired:
            try:
                descriptor = self._own_nowait.read_one()
            except BlockingIOError:
                descriptor = self._steal_from_the_busiest()
            if descriptor is None and not self._idle.idle(0):
                descriptor = self._wait()
                if descriptor is None:
                    return None
            if descriptor is not None and descriptor.kind == Kind.STEAL:
                descriptor = self._steal(descriptor.worker)
            if descriptor is not None:
                return descriptor
        return None

    def retire(self) -> None:
        """Have ``next`` give no more than what it has read by now; for a signal handler."""
        self._retired = True
        self._own.stop_waiting()

    def close(self) -> None:
        """Idempotent."""
        for reader in (self._own, self._own_nowait, *self._others.values()):
            reader.close()

    def _wait(self) -> Descriptor | None:
        try:
            return self._own.read_one()
        except BlockingIOError:  # retired meanwhile: nothing is read, so nothing is lost
            return None

    def _steal_from_the_busiest(self) -> Descriptor | None:
        while True:
            queued = {place: reader.queued() for place, reader in self._others.items()}
            busiest = max(queued, key=queued.__getitem__, default=None)
            if busiest is None or not queued[busiest]:
                return None
            descriptor = self._steal(busiest)
            if descriptor is not None:  # else it was a hint, or somebody was faster: look again
                return descriptor

    def _steal(self, place: int) -> Descriptor | None:
        reader = self._others.get(place)
        if reader is None:  # forged: nobody has this home
            return None
        try:
            descriptor = reader.read_one()
        except BlockingIOError:
            return None  # somebody was faster
        # A hint that was meant for its home leads back to us, or to what we shall find anyway.
        return None if descriptor is None or descriptor.kind == Kind.STEAL else descriptor
