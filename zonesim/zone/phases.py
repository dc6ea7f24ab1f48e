"""When each zone is due: its place in the period, and the moments that follow. Knows no clock."""

from __future__ import annotations

from typing import NamedTuple

GOLDEN = (5**0.5 - 1) / 2  # 0.618…: of all fractions the one furthest from every simple ratio


def phase_ns(zone: int, period_ns: int) -> int:
    """How long after the beginning of each period a zone is due; its number alone decides.

    A hundred zones that wake at once would wait for each other. The fractional parts of multiples
    of the golden ratio spread any first n zones evenly, so that zones may come and go and all
    others stay where they are. It is the Kronecker sequence of the golden ratio: by the three-gap
    theorem (Sós, 1958) the n points lie at most three different distances apart; Knuth, "The Art
    of Computer Programming", volume 3, section 6.4, shows why this ratio spreads them best.
    """
    return int(zone * GOLDEN % 1.0 * period_ns)


def first_due_ns(origin_ns: int, zone: int, period_ns: int, from_ns: int) -> int:
    """The first moment, not before ``from_ns``, at which a zone is due.

    Moments lie a period apart, from the zone's phase after ``origin_ns`` on.
    """
    first_ns = origin_ns + phase_ns(zone, period_ns)
    periods = max(0, -((first_ns - from_ns) // period_ns))
    return first_ns + periods * period_ns


class DueTimes(NamedTuple):
    """The moments at which a zone is due: a first one, and one each period from there on."""

    first_ns: int
    period_ns: int

    def before(self, end_ns: int) -> int:
        """How many there are before a moment."""
        return max(0, -((self.first_ns - end_ns) // self.period_ns))


def due_times(origin_ns: int, zone: int, period_ns: int, begin_ns: int) -> DueTimes:
    """Those of a zone from ``begin_ns`` on."""
    return DueTimes(first_due_ns(origin_ns, zone, period_ns, begin_ns), period_ns)
