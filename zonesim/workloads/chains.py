"""The chains workload: many short coroutines, each ending in one AsyncTask.

With 396 chains a tick is 1,980 coroutines, the tick that the original scheduler was measured
with: per chain Task -> Task -> Task -> Task -> AsyncTask.
"""

from __future__ import annotations

import time
from array import array
from typing import Final

import msgspec

import corororo as cr
from zonesim.scenario.load_shape import guests_at
from zonesim.world.determinism import derive, hash_state

from .base import ZoneSpec

TASKS_PER_CHAIN: Final = 4

# Odd multipliers keep (tick, chain) apart in 32 bits; 32 bits keep an empty answer small.
_TICK: Final = 0x9E37_79B1
_CHAIN: Final = 0x85EB_CA77
_MASK_32: Final = 0xFFFF_FFFF
_FOLD: Final = 0x5851_F42D_4C95_7F2D
_MASK_64: Final = 0xFFFF_FFFF_FFFF_FFFF


def parse_work(text: str) -> tuple[str, int] | None:
    """Return kind and nanoseconds of `sleep:5ms` or `spin:200us`; None for `none`."""
    kind, _, duration = text.partition(":")
    if kind == "none":
        return None
    return kind, int(duration[:-2]) * {"us": 1_000, "ms": 1_000_000}[duration[-2:]]


def do_work(kind: str, duration_ns: int) -> None:
    """Sleep or spin for a duration."""
    if kind == "sleep":
        time.sleep(duration_ns * 1e-9)
    else:
        end_ns = time.perf_counter_ns() + duration_ns
        while time.perf_counter_ns() < end_ns:
            pass


@cr.async_task
def answer(seed: int, tick: int, chain: int) -> int:
    """Return a 32-bit answer that is unique to this zone, tick and chain."""
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

    Folding is not commutative, so an answer that is lost, doubled, swapped with another chain's or
    taken from another tick changes the hash. A guest is one more chain with a slot of its own;
    when it leaves, its slot is folded into that of chain 0, in the order of their numbers.
    """

    def __init__(self, spec: ZoneSpec) -> None:
        self.entities = 0
        self.players = 0
        self._seed = derive(spec.seed, spec.zone) & _MASK_32
        self._work = parse_work(spec.work)
        self._slots = array("Q", bytes(8 * spec.chains))
        self._surges = spec.surges
        self._guests = array("Q")

    async def tick(self, number: int) -> int:
        """Run every chain once; return the number of their Tasks, without this coroutine itself."""
        self._set_guests(guests_at(self._surges, number))
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
        """Take over the slots of a snapshot."""
        saved = msgspec.msgpack.decode(state, type=_State)
        self._slots = array("Q", saved.slots)
        self._guests = array("Q", saved.guests)
        self.entities = self.players = len(saved.guests)

    def release_players(self) -> bytes:
        """Return nothing: chains have no players but guests, who leave."""
        self._set_guests(0)
        return b""

    def adopt_players(self, players: bytes) -> None:
        """Do nothing: chains release no players, and all zones of a run have one workload."""

    def _set_guests(self, wanted: int) -> None:
        slots, guests = self._slots, self._guests
        for value in guests[wanted:]:
            slots[0] = _fold(slots[0], value)
        del guests[wanted:]
        guests.frombytes(bytes(guests.itemsize * (wanted - len(guests))))
        self.entities = self.players = wanted

    async def _first_of_guest(self, tick: int, guest: int) -> None:
        value = await self._second(tick, len(self._slots) + guest)
        guests = self._guests
        if guest < len(guests):  # otherwise it left while its answer was carried over
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
        return await answer_after_work(self._seed, tick, chain, *work)


def _fold(slot: int, value: int) -> int:
    """The same as _first has inline, which runs 396 times a tick."""
    return ((slot ^ value) * _FOLD + 1) & _MASK_64
