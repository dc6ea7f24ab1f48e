"""Random numbers and hashes that are the same on every Python, machine and process.

The random step is splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014). The standard library's ``random`` promises the same values over Python
versions for some of its methods only, and a plain integer state is easy to save. Python's own
``hash`` depends on PYTHONHASHSEED; blake2b does not, and reads a zone's state at about 1 GB/s.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN = 0x9E37_79B9_7F4A_7C15


def advance(state: int) -> int:
    """Return the state after ``state``; both are 64-bit."""
    return (state + _GOLDEN) & _MASK


def mix(state: int) -> int:
    """Return the 64-bit value that belongs to a state."""
    z = ((state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
    return z ^ (z >> 31)


def derive(seed: int, *names: int) -> int:
    """Return a 64-bit seed of its own for each tuple of names under one seed."""
    state = mix(seed & _MASK)
    for name in names:
        state = mix(advance(state ^ (name & _MASK)))
    return state


class Random:
    """A stream of integers from one seed."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits(self) -> int:
        """Return the next 64 bits."""
        self._state = advance(self._state)
        return mix(self._state)

    def below(self, bound: int) -> int:
        """Return an integer from 0 to ``bound - 1``; the bias is under ``bound / 2**64``."""
        return (self.bits() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)


def hash_state(parts: Iterable[bytes | array[Any]]) -> int:
    """Return the 64-bit hash of the parts' bytes, one after another.

    The lengths of the parts are not hashed: they must follow from the total length.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), "little")


def combine(hashes: Iterable[tuple[int, int]]) -> int:
    """Return one 64-bit hash of (zone, hash) pairs, whatever their order."""
    packed = b"".join(struct.pack("<QQ", zone, value) for zone, value in sorted(hashes))
    return hash_state([packed])
