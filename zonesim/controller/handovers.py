"""Players on their way from zones that end to zones that stay. Knows no wire and no process.

From the moment a zone has released them until another one has them for good, on the disk, they are
held here, so that no death on the way loses them, and a number makes sure that none arrives twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from zonesim.wire.messages import Adopt


class Handovers:
    """All those of a run."""

    def __init__(self) -> None:
        self._number = 0
        self._released: dict[int, bytes] = {}  # by zone, not sent on yet
        self._under_way: dict[int, Adopt] = {}  # by number, not confirmed yet
        self._unsaved: set[int] = set()  # of these: in their zone, and not in its checkpoint

    def released(self, zone: int, players: bytes, adopted: Iterable[int] = ()) -> None:
        """A zone has ended and given its players away; those of some arrivals are among them."""
        if zone in self._released:
            return  # it is said again, after a death
        self._released[zone] = players
        for number in {adopt.number for adopt in self.for_zone(zone)}.intersection(adopted):
            self._forget(number)

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
                sent[zone] = self._send(players, heirs[len(sent) % len(heirs)], next_ticks)
        return sent

    def send_elsewhere(
        self,
        zone: int,
        heirs: Sequence[int],
        next_ticks: Mapping[int, int | None] = MappingProxyType({}),
    ) -> list[Adopt]:
        """Have who is on the way to a zone that takes in nobody any more go to heirs, in turn.

        Under new numbers: whatever is still said of the old ones is about a world that is no more.
        """
        moved: list[Adopt] = []
        for adopt in self.for_zone(zone) if heirs else ():
            self._forget(adopt.number)
            moved.append(
                self._send(adopt.players, heirs[(zone + len(moved)) % len(heirs)], next_ticks)
            )
        return moved

    def for_zone(self, zone: int) -> list[Adopt]:
        """What is under way to a zone, and may have to be said again."""
        return [adopt for adopt in self._under_way.values() if adopt.zone == zone]

    def adopted(self, number: int, saved: bool = True) -> Adopt | None:
        """They have arrived; idempotent. What is not saved stays under way, in case of a death.

        Returns what becomes unsaved by that, or has been.
        """
        adopt = self._under_way.get(number)
        was_unsaved = number in self._unsaved
        if saved:
            self._forget(number)
        elif adopt is not None:
            self._unsaved.add(number)
        return adopt if was_unsaved is saved else None

    def lose(self, zone: int) -> int:
        """A zone will never take anybody in any more; how many arrivals that concerns."""
        numbers = [adopt.number for adopt in self.for_zone(zone)]
        for number in numbers:
            self._forget(number)
        return len(numbers)

    @property
    def any_awaited(self) -> bool:
        """Whether anybody has not arrived yet, saved or not."""
        return not self._under_way.keys() <= self._unsaved

    def _send(self, players: bytes, heir: int, next_ticks: Mapping[int, int | None]) -> Adopt:
        self._number += 1
        adopt = Adopt(self._number, heir, players, next_ticks.get(heir) or 0)
        self._under_way[self._number] = adopt
        return adopt

    def _forget(self, number: int) -> None:
        self._under_way.pop(number, None)
        self._unsaved.discard(number)
