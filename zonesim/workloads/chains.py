"""The chains workload: many short coroutines, each ending in one AsyncTask. Knows no map.

With 396 chains a tick is 1,980 coroutines, the tick that the original scheduler was measured
with: per chain Task -> Task -> Task -> Task -> AsyncTask.
"""

from __future__ import annotations

from array import array
from typing import Final

import msgspec

import corororo as cr
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


class ChainsWorld:
    """One 64-bit slot per chain, into which each tick's answer is folded.

    Folding is not commutative, so an answer lost, doubled, swapped with another chain's or
    taken in another tick's place shows in the hash.
    """

    def __init__(self, spec: ZoneSpec) -> None:
        self.entities = 0
        self.players = 0
        self._seed = derive(spec.seed, spec.zone) & _MASK_32
        work = parse_work(spec.work)
        self._work = None if work.kind == "none" else work
        self._slots = array("Q", bytes(8 * spec.chains))

    async def tick(self, number: int) -> int:
        """Run every chain once; return the Tasks of the chains.

        This coroutine itself is not counted: it is the frame that drives the chains, one per
        tick whatever their number, and the figure to compare is 5 coroutines a chain.
        """
        await cr.gather(*[self._first(number, chain) for chain in range(len(self._slots))])
        return TASKS_PER_CHAIN * len(self._slots)

    def world_hash(self) -> int:
        """Return the 64-bit hash of all slots."""
        return hash_state([self._slots])

    def snapshot(self) -> bytes:
        """Return the slots, encoded."""
        return msgspec.msgpack.encode(_State(self._slots.tolist()))

    def restore(self, state: bytes) -> None:
        """Take over the slots of a snapshot; raise ValueError for another number of chains."""
        slots = msgspec.msgpack.decode(state, type=_State).slots
        if len(slots) != len(self._slots):
            raise ValueError(
                f"a snapshot of {len(self._slots)} chains is needed, got one of {len(slots)}; "
                "restore with the ZoneSpec that it was made from"
            )
        self._slots = array("Q", slots)

    def release_players(self) -> bytes:
        """Return nothing: chains know no players."""
        return b""

    def adopt_players(self, players: bytes) -> None:
        """Take in nobody; raise ValueError where there is somebody."""
        if players:
            raise ValueError(
                f"a zone of chains has no players, got {len(players)} bytes of them; hand them "
                "to a zone of the workload that they come from"
            )

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
