"""Players who join or leave a zone: handed over between zones, or guests of a surge.

What a player keeps on its way to another zone is what makes sense on any map: its random stream
and the rest of its pause. Its place and its path stay behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from .determinism import advance, derive, mix
from .entities import CHASE, REST, Entities
from .graph_file import ZoneGraph
from .grid import NO_PLAYER

_GUEST: Final = 2  # name of the derived random streams, after those of .behaviour


class Player(msgspec.Struct, frozen=True):
    """One player between two zones."""

    draws: int  # state of its random stream
    rest_ticks: int  # 0 where it was walking


def take_players(entities: Entities, next_tick: int) -> list[Player]:
    """Take all players out of a zone; mobs that chase one of them lose it."""
    players = []
    for i in range(entities.mobs, len(entities)):
        rest_ticks = entities.wake[i] - next_tick if entities.state[i] == REST else 0
        players.append(Player(entities.draws[i], max(0, rest_ticks)))
    remove_players(entities, len(players))
    return players


def remove_players(entities: Entities, count: int) -> None:
    """Remove the last players; mobs that chase one of them lose it."""
    left = entities.players - count
    for i in range(entities.mobs):
        if entities.state[i] == CHASE and entities.target[i] >= left:
            entities.target[i] = NO_PLAYER
    entities.set_players(left)


def place_players(
    entities: Entities, graph: ZoneGraph, players: Sequence[Player], next_tick: int
) -> None:
    """Add players to a zone, at rest, each in a place that its own random stream draws.

    So the same players in the same order come to the same places.
    """
    first = len(entities)
    entities.set_players(entities.players + len(players))
    for i, player in enumerate(players, first):
        draws = advance(player.draws)
        entities.draws[i] = draws
        entities.wake[i] = next_tick + player.rest_ticks
        entities.place(i, graph.main_cell(mix(draws)), graph.width)


def change_guests(
    entities: Entities, graph: ZoneGraph, seed: int, tick: int, now: int, wanted: int
) -> None:
    """Change the number of guests, the last of the players, from ``now`` to ``wanted``.

    ``seed`` is the zone's own. With tick and number it decides the random stream and place of a
    guest, so that a repeated tick has the same guests.
    """
    if wanted < now:
        remove_players(entities, now - wanted)
    else:
        arriving = [Player(derive(seed, _GUEST, tick, i), 0) for i in range(now, wanted)]
        place_players(entities, graph, arriving, tick)
