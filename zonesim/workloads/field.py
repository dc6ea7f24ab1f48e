"""The field workload: mobs and players on a map, with paths on demand."""

from __future__ import annotations

import msgspec

import corororo as cr
from zonesim.scenario.load_shape import guests_at
from zonesim.world.behaviour import Behaviour
from zonesim.world.determinism import derive, hash_state
from zonesim.world.entities import Entities, SavedEntities
from zonesim.world.graph_file import ZoneGraph
from zonesim.world.players import Player, change_guests, place_players, take_players
from zonesim.world.population import Population

from .base import ZoneSpec


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
        self._guests = 0  # the last ones of the players
        self._entities = Entities(spec.mobs, spec.players)
        self._graph = ZoneGraph(spec.graph)
        self._behaviour = Behaviour(self._entities, self._graph, spec.graph, spec.period_s)
        Population(self._behaviour, self._graph, self._seed).place_all()
        self._recount()

    async def tick(self, number: int) -> int:
        """Run every entity once; return the number of their Tasks, without this coroutine itself.

        An entity that still waits for its path, as happens when late answers are carried over,
        is skipped.
        """
        self._next_tick = number + 1
        self._set_guests(number, guests_at(self._surges, number))
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
        """Take over a snapshot."""
        saved = msgspec.msgpack.decode(state, type=_State)
        self._entities.load(saved.entities)
        self._next_tick = saved.next_tick
        self._guests = saved.guests
        self._recount()

    def release_players(self) -> bytes:
        """Release all players; guests leave, and mobs that chased one walk home."""
        self._set_guests(self._next_tick, 0)
        players = take_players(self._entities, self._next_tick)
        self._recount()
        return msgspec.msgpack.encode(players)

    def adopt_players(self, players: bytes) -> None:
        """Take in players, each at a place that its own random stream draws.

        Guests leave, since they must be the last of the players; the next tick has new ones.
        """
        self._set_guests(self._next_tick, 0)
        arrived = msgspec.msgpack.decode(players, type=list[Player])
        place_players(self._entities, self._graph, arrived, self._next_tick)
        self._recount()

    def _set_guests(self, tick: int, wanted: int) -> None:
        if wanted != self._guests:
            change_guests(self._entities, self._graph, self._seed, tick, self._guests, wanted)
            self._guests = wanted
            self._recount()

    def _recount(self) -> None:
        self._behaviour.fit()
        self.entities = len(self._entities)
        self.players = self._entities.players
