"""Players on their way from zones that end to zones that stay.

From the moment a zone has released its players until another zone has saved them, they are held
here, so that no death on the way loses them. Each handover has a number, so that the zone that
takes the players in can tell a repeated message from a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zonesim.processes.supervisor import OnEvent
from zonesim.wire.messages import Adopt

NextTicks = Mapping[int, int | None]


class Handovers:
    """All handovers of a run; ``next_ticks`` names the ticks before which no players arrive."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._number = 0
        self._released: dict[int, bytes] = {}  # by zone: players not sent on yet
        self._under_way: dict[int, Adopt] = {}  # by number: not confirmed yet
        self._unsaved: set[int] = set()  # of these: in their zone, and not in its checkpoint

    def released(self, zone: int, players: bytes, adopted: Iterable[int] = ()) -> None:
        """Take the players of a zone that has ended, those of the arrivals ``adopted`` included."""
        if zone in self._released:
            return  # repeated after a death
        self._released[zone] = players
        for number in {adopt.number for adopt in self.for_zone(zone)}.intersection(adopted):
            self._forget(number)

    def forget(self, zone: int) -> None:
        """Drop what a zone released before: it is made anew."""
        self._released.pop(zone, None)

    def send_on(
        self, zones: Sequence[int], heirs: Sequence[int], next_ticks: NextTicks
    ) -> dict[int, Adopt]:
        """Share out the players of ended zones among the heirs, in turn; by ended zone."""
        sent: dict[int, Adopt] = {}
        for zone in sorted(zones):
            players = self._released.pop(zone, b"")
            if players and heirs:
                sent[zone] = self._send(players, heirs[len(sent) % len(heirs)], next_ticks)
        return sent

    def redirect(self, zone: int, heirs: Sequence[int], next_ticks: NextTicks) -> list[Adopt]:
        """Send the players on their way to a zone that has ended to the heirs, in turn.

        They get new numbers: what still arrives about the old ones concerns a zone that is gone.
        Without heirs they are lost.
        """
        before, moved = self.for_zone(zone), list[Adopt]()
        for adopt in before:
            self._forget(adopt.number)
            if heirs:
                heir = heirs[(zone + len(moved)) % len(heirs)]
                moved.append(self._send(adopt.players, heir, next_ticks))
                detail = f"players on their way to it go to zone {heir}"
                self._on_event("players-redirected", detail, zones=[zone])
        if before and not heirs:
            detail = f"{len(before)} groups of players on their way to it: no zone is left for them"
            self._on_event("players-lost", detail, zones=[zone])
        return moved

    def for_zone(self, zone: int) -> list[Adopt]:
        """What is under way to a zone, and has to be sent again after its death."""
        return [adopt for adopt in self._under_way.values() if adopt.zone == zone]

    def adopted(self, number: int, saved: bool = True) -> None:
        """Take a confirmation; players that are not saved yet stay under way."""
        adopt = self._under_way.get(number)
        if adopt is None:
            return
        was_unsaved = number in self._unsaved
        if saved:
            self._forget(number)
        if saved and was_unsaved:
            detail = "its checkpoint holds the players that it took in"
            self._on_event("players-saved", detail, zones=[adopt.zone])
        elif not saved and not was_unsaved:
            self._unsaved.add(number)
            detail = "no checkpoint holds the players that it took in; kept in case it dies"
            self._on_event("players-unsaved", detail, zones=[adopt.zone])

    @property
    def any_awaited(self) -> bool:
        """Whether any players have not arrived yet, saved or not."""
        return not self._under_way.keys() <= self._unsaved

    def _send(self, players: bytes, heir: int, next_ticks: NextTicks) -> Adopt:
        self._number += 1
        adopt = Adopt(self._number, heir, players, next_ticks.get(heir) or 0)
        self._under_way[self._number] = adopt
        return adopt

    def _forget(self, number: int) -> None:
        self._under_way.pop(number, None)
        self._unsaved.discard(number)
