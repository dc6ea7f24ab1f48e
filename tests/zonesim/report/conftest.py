"""Runs to draw, made without a disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zonesim.results.saved_run import Run, RunInfo, StepData
from zonesim.results.step_info import StepInfo
from zonesim.wire.ticks import TickRow

MS = 1_000_000

TickTime = Callable[[int, int], float]  # zone, tick -> ms
MakeRun = Callable[..., Run]
AxesOf = Callable[[Callable[[Run, Path], Path], Run], Axes]


def _row(zone: int, tick: int, phase_ms: float, took_ms: float) -> TickRow:
    scheduled_ns = 10**15 + int((tick * 400 + phase_ms) * MS)
    took_ns = int(took_ms * MS)
    return TickRow(
        zone=zone,
        tick=tick,
        scheduled_ns=scheduled_ns,
        started_ns=scheduled_ns,
        finished_ns=scheduled_ns + took_ns,
        late=took_ms > 400,
        missed=0,
        busy_ns=took_ns * 6 // 10,
        waiting_ns=took_ns * 4 // 10,
        step_ns=took_ns * 3 // 10,
        encode_ns=took_ns // 10,
        resume_ns=took_ns // 10,
        gc_ns=took_ns // 100,
        cpu_ns=took_ns * 6 // 10,
        tasks=1_584,
        async_submitted=396,
        async_completed=396,
        async_failed=0,
        batches=7,
        retried=0,
        carried=0,
        entities=330,
        players=10,
        world_hash=1,
    )


def _uneven(zone: int, tick: int) -> float:
    return 50.0 if (zone * 7 + tick) % 97 == 0 else 1 + (zone * 31 + tick * 17) % 40 / 10


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """Give a maker of runs: zones of each step, ticks of each zone, the time each tick takes."""

    def make(
        zones: Sequence[int],
        *,
        ticks: int = 10,
        took_ms: TickTime = _uneven,
        pace: str = "realtime",
        scenario: str = "scale",
    ) -> Run:
        steps = [
            StepData(
                info=StepInfo(
                    step=step,
                    zones=count,
                    zone_processes=count,
                    workers=2,
                    period_ms=400.0,
                    pace=pace,
                    duration_s=ticks * 0.4,
                ),
                pss_mb_per_zone=5.0,
                workers=[],
                rows=[
                    _row(zone, tick, 400 * zone / count, took_ms(zone, tick))
                    for zone in range(count)
                    for tick in range(ticks)
                ],
            )
            for step, count in enumerate(zones, start=1)
        ]
        info = RunInfo(
            scenario=scenario,
            seed=1,
            scenario_text="",
            machine={"cpu": "Abacus 3", "cpus_usable": 2},
            versions={"python": "3.11.2", "corororo": "0.1.0"},
            started_utc="2026-11-23T10:15:00Z",
            world_hash="",
            limits={},
        )
        return Run(info=info, steps=steps, events=[])

    return make


@pytest.fixture
def axes_of(monkeypatch, tmp_path) -> AxesOf:
    """Give a drawer that saves nothing and hands back the axes of the figure."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))

    def axes_of(draw: Callable[[Run, Path], Path], run: Run) -> Axes:
        draw(run, tmp_path / "figure.png")
        return figures[-1].axes[0]

    return axes_of
