"""Players on their way from zones that end to zones that stay. Knows no wire and no process.

From the moment a zone has released them until another one has them for good they are held here,
so that no death on the way loses them, and a number makes sure that none arrives twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from zonesim.control import Adopt


class Handovers:
    """All those of a run."""

    def __init__(self) -> None:
        self._number = 0
        self._released: dict[int, bytes] = {}  # by zone, not sent on yet
        self._under_way: dict[int, Adopt] = {}  # by number, not confirmed yet

    def released(self, zone: int, players: bytes) -> None:
        """A zone has ended and given its players away."""
        self._released.setdefault(zone, players)

    def forget(self, zone: int) -> None:
        """A zone is made anew: what was held of its last life counts no more."""
        self._released.pop(zone, None)

    def send_on(
        self,
        zones: Sequence[int],
        heirs: Sequence[int],
        next_ticks: Mapping[int, int | None] = MappingProxyType({}),
    ) -> dict[int, Adopt]:
        """Share out the players of zones that have ended among heirs, in turn; by ended zone.

        ``next_ticks`` says of heirs before which tick players are to come to them, if it matters.
        """
        sent: dict[int, Adopt] = {}
        for zone in sorted(zones):
            players = self._released.pop(zone, b"")
            if players and heirs:
                self._number += 1
                heir = heirs[len(sent) % len(heirs)]
                sent[zone] = Adopt(self._number, heir, players, next_ticks.get(heir) or 0)
                self._under_way[self._number] = sent[zone]
        return sent

    def for_zone(self, zone: int) -> list[Adopt]:
        """What is under way to a zone, and may have to be said again."""
        return [adopt for adopt in self._under_way.values() if adopt.zone == zone]

    def adopted(self, number: int) -> None:
        """They have arrived for good; idempotent."""
        self._under_way.pop(number, None)

    def lose(self, zone: int) -> int:
        """A zone will never take anybody in any more; how many arrivals that concerns."""
        numbers = [number for number, adopt in self._under_way.items() if adopt.zone == zone]
        for number in numbers:
            del self._under_way[number]
        return len(numbers)

    def are_under_way(self, numbers: Sequence[int]) -> bool:
        """Whether any of these has not arrived yet."""
        return any(number in self._under_way for number in numbers)
