"""What all workloads have in common: the World protocol, and the ZoneSpec it is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from zonesim.scenario.load_shape import Surge
from zonesim.scenario.supervision import Missed

if TYPE_CHECKING:  # zone processes do without it
    from zonesim.scenario.tables import Scenario

LEAST_WORK = "spin:1us"


class World(Protocol):
    """The state of one zone and how it advances; it reads no clock.

    Guests come and go at the start of a tick, by the surges of its ZoneSpec. All other calls
    happen between two ticks. The same ZoneSpec, and the same players adopted and released after
    the same ticks in the same order, give the same hashes.
    """

    entities: int  # mobs and players
    players: int  # including guests

    async def tick(self, number: int) -> int:
        """Run tick ``number`` as Tasks and return how many Tasks it ran."""

    def world_hash(self) -> int:
        """Return the 64-bit hash of the current state."""

    def snapshot(self) -> bytes:
        """Return the encoded state; enough to continue from."""

    def restore(self, state: bytes) -> None:
        """Continue from a snapshot of a world that was made from the same ZoneSpec.

        The players are those of the snapshot, whatever was adopted or released since.
        """

    def release_players(self) -> bytes:
        """Remove all players; return what another zone's world needs to adopt them.

        Guests are not handed over: they leave.
        """

    def adopt_players(self, players: bytes) -> None:
        """Take in the players that another zone's world has released."""


class ZoneSpec(msgspec.Struct, frozen=True):
    """Everything that determines a zone's world: same spec, same hashes."""

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
    missed: Missed = "skip"  # decides when ticks run, not what they do
    surges: tuple[Surge, ...] = ()  # guests for some ticks


def zone_spec(scenario: Scenario, zone: int, graph: str) -> ZoneSpec:
    """The spec of one zone of a scenario, on the map of a graph file."""
    return ZoneSpec(
        zone=zone,
        seed=scenario.seed,
        period_s=scenario.period_ms / 1000,
        workload=scenario.workload,
        graph=graph,
        mobs=scenario.field.mobs,
        players=scenario.field.players,
        chains=scenario.chains.chains,
        work=scenario.chains.work,
        late=scenario.late,
        missed=scenario.missed,
        surges=scenario.surges_for(zone),
    )


def rehearsal_of(spec: ZoneSpec) -> ZoneSpec:
    """The spec of a zone that runs the same code, almost without the work of its AsyncTasks."""
    work = spec.work if spec.work == "none" else LEAST_WORK
    return msgspec.structs.replace(spec, work=work, surges=())
