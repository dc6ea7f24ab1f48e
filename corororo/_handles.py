"""Handles: numbers for things in flight that turn stale once the thing is released.

A slot map: the index says which slot, the version which of the values it has held. The version
changes with each release, so a late or duplicate reply cannot reach the next value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from ._exceptions import StaleHandle

T = TypeVar("T")

VERSIONS = 1 << 32


class Handle(msgspec.Struct, frozen=True, order=True):
    """A slot of a HandlePool, and which of its values is meant."""

    index: int
    version: int

    def pack(self) -> int:
        """Index and version in one number of 64 bits."""
        return self.version << 32 | self.index

    @staticmethod
    def unpack(packed: int) -> Handle:
        """The handle of a packed number."""
        return Handle(packed & 0xFFFF_FFFF, packed >> 32)


class HandlePool(Generic[T]):
    """Reusable slots; only the current handle of a slot gives access to it."""

    def __init__(self) -> None:
        self._values: dict[int, T] = {}  # by packed handle
        self._free: list[Handle] = []  # what the next values of the free slots will get

    def acquire(self, value: T) -> Handle:
        """Put a value into a free slot."""
        handle = self._free.pop() if self._free else Handle(len(self._values), 1)
        self._values[handle.pack()] = value
        return handle

    def get(self, handle: Handle) -> T:
        """The value; raises StaleHandle where the slot was released, or never existed."""
        try:
            return self._values[handle.pack()]
        except KeyError:
            raise StaleHandle(
                f"{handle} was released, or never acquired; drop what came with it"
            ) from None

    def find(self, packed: int) -> T | None:
        """The value by its packed handle, as replies carry it; None where that is stale."""
        return self._values.get(packed)

    def release(self, handle: Handle) -> T:
        """Free the slot and return its value; the handle is stale from then on."""
        value = self.get(handle)
        del self._values[handle.pack()]
        self._free.append(Handle(handle.index, handle.version % (VERSIONS - 1) + 1))
        return value

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._values.values()))
