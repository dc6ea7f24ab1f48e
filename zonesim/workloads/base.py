"""What every workload gives a zone, and what a zone tells it. Knows no workload."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from zonesim.scenario.supervision import Missed
from zonesim.scenario.surges import Surge

LEAST_WORK = "spin:1us"


class World(Protocol):
    """The state of one zone and how it advances; nothing in it reads a clock.

    Guests come and go at the beginning of a tick, as the surges of its ZoneSpec have them. Saved
    and changed from outside only between two ticks. Same ZoneSpec, and the same players adopted
    and released after the same ticks in the same order: same hashes.
    """

    entities: int  # mobs and players
    players: int  # guests among them

    async def tick(self, number: int) -> int:
        """Run tick ``number`` as Tasks and return how many Tasks it ran."""
        ...

    def world_hash(self) -> int:
        """Return the 64-bit hash of the state as it is now."""
        ...

    def snapshot(self) -> bytes:
        """Return the state, encoded: enough to go on from."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from a snapshot of a world that was made from the same ZoneSpec.

        Its players are those of the snapshot, also where some were adopted or released.
        """
        ...

    def release_players(self) -> bytes:
        """Be left without players; return what another zone's world needs to adopt them.

        Guests just leave: they are not among those that the other zone gets.
        """
        ...

    def adopt_players(self, players: bytes) -> None:
        """Take in the players that another zone's world has released."""
        ...


class ZoneSpec(msgspec.Struct, frozen=True):
    """Everything that decides how a zone's world goes: same spec, same hashes."""

    zone: int
    seed: int
    period_s: float
    workload: str
    graph: str  # path of the graph file; "" when the workload needs none
    mobs: int = 330
    players: int = 10
    chains: int = 396
    work: str = "none"  # what an AsyncTask of chains does: none, sleep:5ms, spin:200us
    late: Literal["wait", "carry"] = "wait"
    missed: Missed = "skip"  # decides when ticks run, not how they go
    surges: tuple[Surge, ...] = ()  # guests who come for some ticks


def rehearsal_of(spec: ZoneSpec) -> ZoneSpec:
    """A zone whose ticks run through the same code, without the work of its AsyncTasks."""
    work = spec.work if spec.work == "none" else LEAST_WORK
    return msgspec.structs.replace(spec, work=work, surges=())
