"""Players that enter and leave the zones of a process."""

from __future__ import annotations

from collections.abc import Callable

import trio

from zonesim.wire.messages import Adopt, Adopted, Drained
from zonesim.zone.checkpoint import CheckpointStore
from zonesim.zone.reporter import Reporter
from zonesim.zone.zone import Zone

SAVE_TIMEOUT_S = 2.0  # then the controller is told that the players are not saved yet


class Handover:
    """Takes in arrivals between ticks, and releases the players of drained zones.

    The controller hears of both once they are in a checkpoint, and after SAVE_TIMEOUT_S anyway: a
    disk that fails must not block the players.
    """

    def __init__(
        self,
        zones: dict[int, Zone],
        store: CheckpointStore,
        reporter: Reporter,
        start: Callable[..., None],
        retire: Callable[[Zone], None],
    ) -> None:
        self._zones = zones
        self._start = start
        self._retire = retire
        self._store = store
        self._reporter = reporter
        self._arrivals: dict[int, list[Adopt]] = {}  # that wait until a zone has run a tick

    def forget_arrivals(self, zone: int) -> None:
        """Drop arrivals meant for an earlier life of a zone; the controller redirects them."""
        self._arrivals.pop(zone, None)

    def add_arrival(self, arrival: Adopt) -> None:
        """Players arrive for a zone, which may not exist yet."""
        self._arrivals.setdefault(arrival.zone, []).append(arrival)
        zone = self._zones.get(arrival.zone)
        if zone is not None and not zone.ticking:
            self.admit(zone)

    def admit(self, zone: Zone) -> None:
        """Take in the players who may enter before the next tick; only between ticks."""
        if zone.released is not None:
            return
        waiting = self._arrivals.pop(zone.spec.zone, [])
        early = [arrival for arrival in waiting if arrival.next_tick > zone.next_tick]
        if early:
            self._arrivals[zone.spec.zone] = early
        for arrival in waiting:
            if arrival not in early:
                zone.adopt(arrival.number, arrival.players)
                self._start(self._confirm, arrival.number, self._save(zone))

    async def release(self, number: int) -> None:
        """Release the players of a drained zone and end it."""
        zone = self._zones[number]
        players = zone.release()
        await self._reporter.flush_rows()
        await _is_set_soon(self._save(zone))
        self._retire(zone)
        await self._reporter.send(Drained(number, players, zone.adopted))

    async def _confirm(self, number: int, saved: trio.Event) -> None:
        # Saved first: the controller relies on the players surviving a restart of the zone.
        if not await _is_set_soon(saved):
            await self._reporter.send(Adopted(number, saved=False))
            await saved.wait()
        await self._reporter.send(Adopted(number))

    def _save(self, zone: Zone) -> trio.Event:
        saved, number = trio.Event(), zone.spec.zone
        self._store.put(number, zone.checkpoint())
        self._start(self._store.save_with_retries, number, saved)
        return saved


async def _is_set_soon(event: trio.Event) -> bool:
    with trio.move_on_after(SAVE_TIMEOUT_S):
        await event.wait()
    return event.is_set()
