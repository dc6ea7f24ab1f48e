"""A run from beginning to end: starts its workers, opens its files and reports one error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio

import corororo as cr
from zonesim.controller.controller import Controller
from zonesim.controller.event_log import OnNotice
from zonesim.doctor.packing import choose_packing
from zonesim.live.progress import OnProgress
from zonesim.processes.preload import PRELOAD, start_fork_server
from zonesim.results.saved_run import OutputError, Packing, RunInfo, Summary
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed, leaves_of, user_text
from zonesim.system.interrupts import Interrupts
from zonesim.system.operating_system import describe_machine, versions
from zonesim.world.map import MapError


class Outcome(NamedTuple):
    """The result of a run."""

    summary: Summary
    saved: bool  # whether all of it is on the disk


def run_scenario(
    scenario: Scenario,
    directory: Path,
    on_progress: OnProgress,
    on_notice: OnNotice,
    interrupts: Interrupts,
) -> Outcome:
    """Run all steps of a scenario and save them in ``directory``; blocks until it is done.

    The first interrupt ends the step that runs, a second one does not wait for its zones. A run
    that fails after its first step has begun ends there, and the summary says why. Raises
    KeyboardInterrupt where an interrupt came before, RunFailed where the machine is too small or
    the zones cannot be made, and OutputError where the run's file cannot be created.
    """
    start_fork_server(max(scenario.steps))
    with interrupts.breaking():
        packing = choose_packing(scenario)
    if packing is not None:
        on_notice(f"zonesim: {packing.text}")
    try:
        with _pool(scenario, interrupts) as pool, _writer(scenario, directory, packing) as writer:
            controller = Controller(
                scenario, packing, pool, writer, on_progress, on_notice, interrupts
            )
            trio.run(controller.run)
            summary = writer.finish(controller.log.world_hash(), lambda: interrupts.count > 0)
            if writer.unsaved is not None:
                on_notice(writer.unsaved)
    except (cr.SessionError, cr.PoolFailed, MapError) as error:
        raise RunFailed(user_text(error, of_run=True)) from None
    except RunFailed as failure:
        _show_notes(failure, on_notice)
        raise
    except BaseExceptionGroup as group:
        main = _main_error(group)
        _show_notes(main, on_notice)
        raise main from None
    return Outcome(summary, saved=writer.unsaved is None)


def run_for_figures(scenario: Scenario, directory: Path) -> Summary:
    """Run a scenario without showing it; KeyboardInterrupt or RunFailed where it ended early."""
    with Interrupts() as interrupts:
        outcome = run_scenario(scenario, directory, lambda _: None, lambda _: None, interrupts)
    interrupts.check()
    if outcome.summary.failure is not None:
        raise RunFailed(outcome.summary.failure)
    if not outcome.saved:
        raise RunFailed(f"{directory}: the figures of the run are not saved")
    return outcome.summary


@contextmanager
def _pool(scenario: Scenario, interrupts: Interrupts) -> Iterator[cr.WorkerPool]:
    inline = scenario.transfer == "inline"
    pool = cr.WorkerPool(
        0 if inline else scenario.worker_count,
        ring_bytes=int(scenario.ring_mb * (1 << 20)),
        hang_timeout=scenario.supervision.worker_hang_s,
        rings=max(scenario.steps),
        name="zonesim",
        # Workers import scipy before the first call: that takes longer than a tick.
        imports=("zonesim.world.search",) if scenario.workload == "field" else (),
        preload=PRELOAD,
    )
    with interrupts.breaking():
        pool.start()
    with closing(pool):
        interrupts.check()
        yield pool


def _writer(scenario: Scenario, directory: Path, packing: Packing | None) -> RunWriter:
    info = RunInfo(
        scenario=scenario.name,
        seed=scenario.seed,
        scenario_text=json.dumps(msgspec.to_builtins(scenario)),  # a path may not be UTF-8
        machine=describe_machine(),
        versions=versions(),
        started_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        limits=scenario.limits.figures(),
        packing=packing,
    )
    return RunWriter(directory, info)


def _show_notes(error: BaseException, on_notice: OnNotice) -> None:
    for note in getattr(error, "__notes__", ()):
        on_notice(note)


def _main_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    errors = list(leaves_of(group))
    known = [error for error in errors if isinstance(error, RunFailed | OutputError)]
    return (known or errors)[0]
