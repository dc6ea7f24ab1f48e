"""The chains workload: many short coroutines, each ending in one AsyncTask. Knows no map.

With 396 chains a tick is 1,980 coroutines, the tick that the original scheduler was measured
with: per chain Task -> Task -> Task -> Task -> AsyncTask.
"""

from __future__ import annotations

from array import array
from typing import Final

import msgspec

import corororo as cr
from zonesim.scenario.surges import guests_at
from zonesim.workloads.base import ZoneSpec
from zonesim.workloads.work import do_work, parse_work
from zonesim.world.hash import hash_state
from zonesim.world.random import derive

TASKS_PER_CHAIN: Final = 4

# Odd multipliers keep (tick, chain) apart in 32 bits; 32 bits keep an empty answer small.
_TICK: Final = 0x9E37_79B1
_CHAIN: Final = 0x85EB_CA77
_MASK_32: Final = 0xFFFF_FFFF
_FOLD: Final = 0x5851_F42D_4C95_7F2D
_MASK_64: Final = 0xFFFF_FFFF_FFFF_FFFF


@cr.async_task
def answer(seed: int, tick: int, chain: int) -> int:
    """Return the 32-bit answer that only this zone, tick and chain has."""
    return (seed + tick * _TICK + chain * _CHAIN) & _MASK_32


@cr.async_task
def answer_after_work(seed: int, tick: int, chain: int, kind: str, duration_ns: int) -> int:
    """Return the same answer as ``answer``, after some work."""
    do_work(kind, duration_ns)
    return (seed + tick * _TICK + chain * _CHAIN) & _MASK_32


class _State(msgspec.Struct, frozen=True):
    """What a snapshot of the chains holds."""

    slots: list[int]
    guests: list[int] = []


class ChainsWorld:
    """One 64-bit slot per chain, into which each tick's answer is folded.

    Folding is not commutative, so an answer lost, doubled, swapped with another chain's or
    taken in another tick's place shows in the hash. A guest is one more chain with a slot of its
    own; when it leaves, its slot is folded into that of chain 0, in the order of their numbers.
    """

    def __init__(self, spec: ZoneSpec) -> None:
        self.entities = 0
        self.players = 0
        self._seed = derive(spec.seed, spec.zone) & _MASK_32
        work = parse_work(spec.work)
        self._work = None if work.kind == "none" else work
        self._slots = array("Q", bytes(8 * spec.chains))
        self._surges = spec.surges
        self._guests = array("Q")

    async def tick(self, number: int) -> int:
        """Run every chain once; return the Tasks of the chains.

        This coroutine itself is not counted: it is the frame that drives the chains, one per
        tick whatever their number, and the figure to compare is 5 coroutines a chain.
        """
        self._have_guests(guests_at(self._surges, number))
        chains = [self._first(number, chain) for chain in range(len(self._slots))]
        chains += [self._first_of_guest(number, guest) for guest in range(len(self._guests))]
        await cr.gather(*chains)
        return TASKS_PER_CHAIN * len(chains)

    def world_hash(self) -> int:
        """Return the 64-bit hash of all slots."""
        return hash_state([self._slots, self._guests])

    def snapshot(self) -> bytes:
        """Return the slots, encoded."""
        return msgspec.msgpack.encode(_State(self._slots.tolist(), self._guests.tolist()))

    def restore(self, state: bytes) -> None:
        """Take over the slots of a snapshot; raise ValueError for another number of chains."""
        saved = msgspec.msgpack.decode(state, type=_State)
        slots = saved.slots
        if len(slots) != len(self._slots):
            raise ValueError(
                f"a snapshot of {len(self._slots)} chains is needed, got one of {len(slots)}; "
                "restore with the ZoneSpec that it was made from"
            )
        self._slots = array("Q", slots)
        self._guests = array("Q", saved.guests)
        self.entities = self.players = len(saved.guests)

    def release_players(self) -> bytes:
        """Return nothing: chains know no players but guests, who leave."""
        self._have_guests(0)
        return b""

    def adopt_players(self, players: bytes) -> None:
        """Take in nobody; raise ValueError where there is somebody."""
        if players:
            raise ValueError(
                f"a zone of chains has no players, got {len(players)} bytes of them; hand them "
                "to a zone of the workload that they come from"
            )

    def _have_guests(self, wanted: int) -> None:
        slots, guests = self._slots, self._guests
        for value in guests[wanted:]:
            slots[0] = _fold(slots[0], value)
        del guests[wanted:]
        guests.frombytes(bytes(guests.itemsize * (wanted - len(guests))))
        self.entities = self.players = wanted

    async def _first_of_guest(self, tick: int, guest: int) -> None:
        value = await self._second(tick, len(self._slots) + guest)
        guests = self._guests
        if guest < len(guests):  # else it left while its answer was out, carried over
            guests[guest] = _fold(guests[guest], value)

    async def _first(self, tick: int, chain: int) -> None:
        value = await self._second(tick, chain)
        slots = self._slots
        slots[chain] = ((slots[chain] ^ value) * _FOLD + 1) & _MASK_64

    async def _second(self, tick: int, chain: int) -> int:
        return await self._third(tick, chain)

    async def _third(self, tick: int, chain: int) -> int:
        return await self._fourth(tick, chain)

    async def _fourth(self, tick: int, chain: int) -> int:
        work = self._work
        if work is None:
            return await answer(self._seed, tick, chain)
        return await answer_after_work(self._seed, tick, chain, work.kind, work.duration_ns)


def _fold(slot: int, value: int) -> int:
    """The same as _first has inline, which runs 396 times a tick."""
    return ((slot ^ value) * _FOLD + 1) & _MASK_64
