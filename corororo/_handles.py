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
_FREE = object()


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
        self._values: list[object] = []
        self._versions: list[int] = []
        self._free: list[int] = []

    def acquire(self, value: T) -> Handle:
        """Put a value into a free slot."""
        if self._free:
            index = self._free.pop()
            self._values[index] = value
        else:
            index = len(self._values)
            self._values.append(value)
            self._versions.append(1)
        return Handle(index, self._versions[index])

    def get(self, handle: Handle) -> T:
        """The value; raises StaleHandle where the slot was released, or never existed."""
        self._check(handle)
        return self._values[handle.index]  # type: ignore[return-value]

    def find(self, packed: int) -> T | None:
        """The value by its packed handle, as replies carry it; None where that is stale."""
        index = packed & 0xFFFF_FFFF
        if index >= len(self._versions) or self._versions[index] != packed >> 32:
            return None
        value = self._values[index]
        return None if value is _FREE else value  # type: ignore[return-value]

    def release(self, handle: Handle) -> T:
        """Free the slot and return its value; the handle is stale from then on."""
        self._check(handle)
        value = self._values[handle.index]
        self._values[handle.index] = _FREE
        self._versions[handle.index] = self._versions[handle.index] % (VERSIONS - 1) + 1
        self._free.append(handle.index)
        return value  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self._values) - len(self._free)

    def __iter__(self) -> Iterator[T]:
        return iter([value for value in self._values if value is not _FREE])  # type: ignore[misc]

    def _check(self, handle: Handle) -> None:
        known = 0 <= handle.index < len(self._versions)
        if (
            not known
            or self._versions[handle.index] != handle.version
            or self._values[handle.index] is _FREE
        ):
            found = f"its slot is at version {self._versions[handle.index]}" if known else "no slot"
            raise StaleHandle(
                f"{handle} was released, or never acquired: {found}; drop what came with it"
            )
