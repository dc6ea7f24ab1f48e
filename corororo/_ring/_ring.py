"""The allocator of a ring: claims room for records and frees it in order.

One process allocates, so there is no counter that two write and nothing to race on. Claims go
forward from the head; what is freed out of order waits until everything before it is free too.
"""

from __future__ import annotations

from collections import deque

import msgspec

from corororo._exceptions import RingFull

from ._layout import ALIGNMENT


class RingStatistics(msgspec.Struct, frozen=True):
    """The state of a ring at one moment; all but ``records`` in bytes."""

    size_bytes: int
    used_bytes: int  # claimed, or freed and waiting for an older record
    records: int


class Ring:
    """Room of ``size_bytes``, given out in extents that never wrap around the end."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes < 2 * ALIGNMENT or size_bytes % ALIGNMENT:
            raise ValueError(
                f"a ring must be a multiple of {ALIGNMENT} and at least {2 * ALIGNMENT} bytes, "
                f"got {size_bytes}"
            )
        self.size_bytes = size_bytes
        self._head = 0  # where the next record would begin
        self._extents: deque[list[int]] = deque()  # [offset, end, freed]; oldest first
        self._by_offset: dict[int, list[int]] = {}

    def claim(self, length_bytes: int) -> int:
        """Reserve an extent and return its offset; raises RingFull where there is no room now."""
        if not self._extents:
            self._head = 0  # an empty ring starts afresh: its first pages stay warm
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

    def _find_room(self, length: int) -> int:
        if not self._extents:
            if length <= self.size_bytes:
                return 0
        else:
            tail = self._extents[0][0]
            if self._head > tail:  # free: from the head to the end, from the start to the tail
                if self._head + length <= self.size_bytes:
                    return self._head
                if length <= tail:
                    return 0
            elif self._head + length <= tail:  # free: from the head to the tail
                return self._head
        raise RingFull(
            f"a record of {length} bytes does not fit now: {len(self._by_offset)} records stand "
            f"in a ring of {self.size_bytes} bytes"
        )
