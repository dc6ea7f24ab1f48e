"""Pseudo-random integers that are the same on every Python and machine. Knows no game.

The step is splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
OOPSLA 2014). The standard library's ``random`` is avoided: only some of its methods promise
the same values over Python versions, and a plain integer state is easy to save.
"""

from __future__ import annotations

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

    def percent(self, chance: int) -> bool:
        """Return True in ``chance`` of 100 draws."""
        return self.below(100) < chance
