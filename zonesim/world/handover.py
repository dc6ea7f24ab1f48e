"""Players on their way from one zone to another. Knows no behaviour and no bytes.

What a player keeps is what makes sense on any map: its random stream, and what is left of its
rest. Its place and its path stay behind.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zonesim.world.entities import CHASE, REST, Entities
from zonesim.world.grid import NOBODY
from zonesim.world.random import advance, mix
from zonesim.world.zone_graph import ZoneGraph


class Player(msgspec.Struct, frozen=True):
    """One player between two zones."""

    draws: int  # state of its random stream
    rest_ticks: int  # 0 where it was on its way somewhere


def take_players(entities: Entities, next_tick: int) -> list[Player]:
    """Take all players out of a zone; whoever chases one of them has lost it."""
    players = [
        Player(entities.draws[i], _rest_ticks(entities, i, next_tick))
        for i in range(entities.mobs, len(entities))
    ]
    send_away(entities, len(players))
    return players


def send_away(entities: Entities, count: int) -> None:
    """Let the last players go for good; whoever chases one of them has lost it."""
    left = entities.players - count
    for i in range(entities.mobs):
        if entities.state[i] == CHASE and entities.target[i] >= left:
            entities.target[i] = NOBODY
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


def _rest_ticks(entities: Entities, i: int, next_tick: int) -> int:
    return max(0, entities.wake[i] - next_tick) if entities.state[i] == REST else 0
