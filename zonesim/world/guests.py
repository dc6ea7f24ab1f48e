"""Players who come for a while: taken in and sent away, the last of a zone's players.

Knows how many there are to be, and not why.
"""

from __future__ import annotations

from typing import Final

from zonesim.world.entities import Entities
from zonesim.world.handover import Player, place_players, send_away
from zonesim.world.random import derive
from zonesim.world.zone_graph import ZoneGraph

_GUEST: Final = 2  # name of the derived random streams, after those of zonesim.world.behaviour


def change_guests(
    entities: Entities, graph: ZoneGraph, seed: int, tick: int, now: int, wanted: int
) -> None:
    """Have other many guests from a tick on: the last ones go, or new ones come, not at rest.

    ``seed`` is the zone's own: with tick and number it decides who a guest is and where it comes
    to, so that a tick that is run again has the same guests.
    """
    if wanted < now:
        send_away(entities, now - wanted)
    else:
        arriving = [Player(derive(seed, _GUEST, tick, i), 0) for i in range(now, wanted)]
        place_players(entities, graph, arriving, tick)
