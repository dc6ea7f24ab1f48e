"""The field workload: mobs and players on a map, paths on demand. Knows how a tick is run,
not what entities do in it.
"""

from __future__ import annotations

import msgspec

import corororo as cr
from zonesim.scenario.surges import guests_at
from zonesim.workloads.base import ZoneSpec
from zonesim.world.behaviour import Behaviour
from zonesim.world.entities import Entities, SavedEntities
from zonesim.world.guests import change_guests
from zonesim.world.handover import Player, place_players, take_players
from zonesim.world.hash import hash_state
from zonesim.world.random import derive
from zonesim.world.zone_graph import ZoneGraph


class _State(msgspec.Struct, frozen=True):
    """What a snapshot of the field holds."""

    next_tick: int
    entities: SavedEntities
    guests: int = 0


class FieldWorld:
    """One zone: every mob and every player is a Task in every tick, those at rest included."""

    def __init__(self, spec: ZoneSpec) -> None:
        self._next_tick = 0
        self._seed = derive(spec.seed, spec.zone)
        self._surges = spec.surges
        self._guests = 0  # of the players the last so many
        self._entities = Entities(spec.mobs, spec.players)
        self._graph = ZoneGraph(spec.graph)
        self._behaviour = Behaviour(self._entities, self._graph, spec.graph, spec.period_s)
        self._behaviour.populate(self._seed)
        self._recount()

    async def tick(self, number: int) -> int:
        """Run every entity once; return the Tasks of the entities.

        An entity whose path is still out, as happens when late answers are carried over, is
        left alone until it comes. This coroutine itself is not counted: it drives the others.
        """
        self._next_tick = number + 1
        self._have_guests(number, guests_at(self._surges, number))
        behaviour = self._behaviour
        behaviour.begin_tick(number)
        think = behaviour.think
        if 1 in behaviour.waiting:
            thoughts = [think(i) for i, waits in enumerate(behaviour.waiting) if not waits]
        else:
            thoughts = [think(i) for i in range(self.entities)]
        await cr.gather(*thoughts)
        return len(thoughts)

    def world_hash(self) -> int:
        """Return the 64-bit hash of all entities."""
        return hash_state(self._entities.changing())

    def snapshot(self) -> bytes:
        """Return the state of all entities, encoded; native-endian, for this machine."""
        return msgspec.msgpack.encode(_State(self._next_tick, self._entities.save(), self._guests))

    def restore(self, state: bytes) -> None:
        """Take over a snapshot; raise ValueError where it is of another number of mobs."""
        saved = msgspec.msgpack.decode(state, type=_State)
        self._entities.load(saved.entities)
        self._next_tick = saved.next_tick
        self._guests = saved.guests
        self._recount()

    def release_players(self) -> bytes:
        """Give all players away but the guests, who leave: mobs that chased one walk home."""
        self._have_guests(self._next_tick, 0)
        players = take_players(self._entities, self._next_tick)
        self._recount()
        return msgspec.msgpack.encode(players)

    def adopt_players(self, players: bytes) -> None:
        """Take players in: each comes to a place that its own random stream draws.

        Guests leave, since they are the last of the players; the next tick has new ones.
        """
        self._have_guests(self._next_tick, 0)
        arrived = msgspec.msgpack.decode(players, type=list[Player])
        place_players(self._entities, self._graph, arrived, self._next_tick)
        self._recount()

    def _have_guests(self, tick: int, wanted: int) -> None:
        if wanted != self._guests:
            change_guests(self._entities, self._graph, self._seed, tick, self._guests, wanted)
            self._guests = wanted
            self._recount()

    def _recount(self) -> None:
        self._behaviour.fit()
        self.entities = len(self._entities)
        self.players = self._entities.players
