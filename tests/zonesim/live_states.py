"""States of a run, for tests of what shows them."""

from __future__ import annotations

import msgspec

from zonesim.live.progress import EventLine, Progress, StepLine, WorkerLine, ZoneLine

PERIOD_MS = 400.0


def zone(number: int, **changes: object) -> ZoneLine:
    """A zone that has nothing to complain of."""
    plain = ZoneLine(
        zone=number,
        state="Allocated",
        utilisation=0.34,
        mspt_p50_ms=1.93,
        mspt_p95_ms=12.3,
        tps=2.5,
        players=10,
        entities=340,
        late=0,
    )
    return msgspec.structs.replace(plain, **changes)


RUNNING = Progress(
    scenario="scale",
    period_ms=PERIOD_MS,
    phase="running",
    step=2,
    steps=7,
    zones=5,
    zones_ready=5,
    zones_by_state={"Ready": 1, "Allocated": 4},
    elapsed_s=4.5,
    duration_s=10.0,
    ticks_wanted=None,
    ticks=56,
    late=1,
    missed=0,
    tps_lowest=2.31,
    tps_median=2.5,
    tps_highest=2.52,
    utilisation_mean=0.12,
    utilisation_highest=0.34,
    headroom=0.0,
    response_p50_ms=1.93,
    response_p95_ms=330.0,
    response_p99_ms=401.0,
    busiest=tuple(zone(number) for number in range(5)),
    async_in_flight=12,
    batches_queued=3,
    workers=(WorkerLine(1, 0.41), WorkerLine(2, 0.05)),
    worker_restarts=3,
    ended=(StepLine(1, 1, 25, 0, 0, 1.5, 2.5, 3.5),),
    events=(EventLine(3.25, "worker-died: worker 2, pid 1234"),),
)


def state(**changes: object) -> Progress:
    """The run above, a little different."""
    return msgspec.structs.replace(RUNNING, **changes)


def crowded() -> Progress:
    """A run of more than any terminal has room for, with the widest figures there are."""
    worst = {"state": "Unhealthy", "utilisation": 12.34, "mspt_p50_ms": 12_345.6}
    return state(
        zones=1000,
        zones_ready=1000,
        zones_by_state=dict.fromkeys(("Creating", "Starting", "Ready", "Allocated"), 1000)
        | dict.fromkeys(("Draining", "Shutdown", "Unhealthy"), 1000),
        steps=100,
        step=100,
        ticks=900_000,
        late=900_000,
        missed=900_000,
        response_p99_ms=12_345.6,
        utilisation_highest=12.34,
        async_in_flight=99_999,
        batches_queued=99_999,
        worker_restarts=9_999,
        workers=tuple(WorkerLine(n, 1.0) for n in range(1, 257)),
        busiest=tuple(
            zone(n, mspt_p95_ms=12_345.6, late=9_999, players=1000, entities=11_000, **worst)
            for n in range(900, 1000)
        ),
        ended=tuple(StepLine(n, 1000, 900_000, 9_999, 9_999, *[12_345.6] * 3) for n in range(90)),
        events=tuple(
            EventLine(12_345.6, f"zone-hung: zone {n}, {'walk() in' * 50}") for n in range(8)
        ),
    )
