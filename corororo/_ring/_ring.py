"""The ring of one zone: which room is given out."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from corororo._exceptions import RingFull

ALIGNMENT: Final = 64


class RingStatistics(msgspec.Struct, frozen=True):
    """The state of a ring at one moment; all but ``records`` in bytes."""

    size_bytes: int
    used_bytes: int  # claimed, or freed and waiting for an older record
    records: int


class Ring:
    """Room of ``size_bytes`` from ``start``, given out in extents that never wrap around the end.

    Claims go forward from the head; what is freed out of order waits until everything before it is
    free too. Only the zone allocates, so there is nothing to race on.

    A ``compact`` ring goes back to its start as soon as there is room: it uses little of its size.
    """

    def __init__(self, size_bytes: int, start: int = 0, *, compact: bool = False) -> None:
        self.size_bytes = size_bytes
        self._compact = compact
        self._start = start
        self._head = start  # where the next record would begin
        self._extents: deque[list[int]] = deque()  # [offset, end, freed]; oldest first
        self._by_offset: dict[int, list[int]] = {}

    def claim(self, length_bytes: int) -> int:
        """Reserve an extent and return its offset; raises RingFull where there is no room now."""
        if not self._extents:
            self._head = self._start  # an empty ring starts afresh: its first pages stay warm
        length = (length_bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
        offset = self._find_room(length)
        extent = [offset, offset + length, 0]
        self._extents.append(extent)
        self._by_offset[offset] = extent
        self._head = offset + length
        return offset

    def free(self, offset: int) -> None:
        """Give an extent back; raises KeyError where none is claimed at this offset."""
        self._by_offset.pop(offset)[2] = 1
        extents = self._extents
        while extents and extents[0][2]:
            extents.popleft()

    def statistics(self) -> RingStatistics:
        """A frozen snapshot."""
        used = sum(end - offset for offset, end, _ in self._extents)
        return RingStatistics(self.size_bytes, used, len(self._by_offset))

    @property
    def is_empty(self) -> bool:
        """Whether all that was claimed is free again."""
        return not self._extents

    def _find_room(self, length: int) -> int:
        start, end = self._start, self._start + self.size_bytes
        tail = self._extents[0][0] if self._extents else start
        # Free: from the head to the end and from the start to the tail, or from head to tail.
        wraps = self._head > tail or not self._extents
        fits_ahead = self._head + length <= (end if wraps else tail)
        fits_at_start = wraps and start + length <= tail
        if fits_at_start and (self._compact or not fits_ahead):
            return start
        if fits_ahead:
            return self._head
        raise RingFull(
            f"a record of {length} bytes does not fit now: {len(self._by_offset)} records stand "
            f"in a ring of {self.size_bytes} bytes"
        )
