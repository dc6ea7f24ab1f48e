"""Zone processes and fork servers that die or hang during a run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from zonesim_runs import Command, needs_titles, saved

from corororo.processes import HAS_PROC
from zonesim.live.view_file import read_view

pytestmark = needs_titles

FIELD = ("run", "field", "--workers", "1", "--set", "period_ms=50", "--set", "field.mobs=30")
CHAINS = ("run", "chains", "--workers", "2", "--set", "period_ms=50", "--set", "chains.chains=20")
NEEDS_PROC = pytest.mark.skipif(not HAS_PROC, reason="process states are unknown")


def events(folder: Path) -> list[tuple[str, int | None, str]]:
    return saved(folder, "SELECT kind, zone, detail FROM events ORDER BY at_ns")


def ticks_of(folder: Path, zone: int) -> list[int]:
    """The numbers of the ticks that a zone ran, in their order."""
    rows = saved(folder, f"SELECT tick FROM ticks WHERE zone = {zone} ORDER BY started_ns")
    return [tick for (tick,) in rows]


def wait_for_event(command: Command, folder: Path, kind: str, count: int = 1) -> None:
    command.wait_until(lambda: sum(event[0] == kind for event in events(folder)) >= count, kind)


def zone_pid(command: Command, zone: int, besides: int = 0) -> int:
    """The process of a zone, once it is another one than ``besides``."""

    def look() -> int | None:
        found = command.wait_for_process(f"zonesim zone {zone}")
        return found if found != besides else None

    return command.wait_until(look, f"another process of zone {zone}")


def test_a_killed_zone_continues_from_its_checkpoint_and_the_world_is_the_same(start, tmp_path):
    ticks = ("--zones", "3", "--ticks", "60", "--json")
    undisturbed = start(*FIELD, *ticks, "--pace", "max", "--out", "calm").finish()
    command = start(*FIELD, *ticks, "--out", "run")
    command.wait_for_step(tmp_path / "run")
    os.kill(zone_pid(command, 1), signal.SIGKILL)

    ended = command.finish()

    assert (ended.code, undisturbed.code) == (0, 0), ended.error
    assert ended.document["world_hash"] == undisturbed.document["world_hash"]
    assert ended.document["steps"][0]["async_tasks"]["lost"] == 0
    told = [event for event in events(tmp_path / "run") if event[1] == 1]
    assert [kind for kind, _, _ in told] == ["zone-died", "zone-restarted"]
    assert told[0][2] == "by signal 9"
    ran = ticks_of(tmp_path / "run", 1)
    assert sorted(set(ran)) == list(range(60))
    assert len(ran) - 60 <= 10  # ticks that ran again: no more than lie between two checkpoints


@NEEDS_PROC
def test_a_stopped_zone_is_detected_and_replaced(start, tmp_path):
    command = start(*CHAINS, "--zones", "2", "--duration", "600", "--out", "run")
    command.wait_for_step(tmp_path / "run")
    victim = zone_pid(command, 1)
    os.kill(victim, signal.SIGSTOP)
    wait_for_event(command, tmp_path / "run", "zone-restarted")
    assert zone_pid(command, 1) != victim
    command.signal(signal.SIGINT)

    assert command.finish().code == 130
    told = {kind: detail for kind, _, detail in events(tmp_path / "run")}
    assert "it is stopped" in told["zone-hung"].splitlines()[0]
    assert "in zone_process_main" in told["zone-hung"]
    assert told["zone-died"].startswith("killed: silent for")


ENDLESS_LOOP = """
import os
import sys
import corororo as cr
import zonesim.workloads.chains as chains

tick = chains.ChainsWorld.tick

async def loop(self, number):
    if number == 30 and not os.path.exists(sys.argv[-1]):
        open(sys.argv[-1], "w").close()
        loop_for_ever()
    return await tick(self, number)

def loop_for_ever():
    while True:
        pass

chains.ChainsWorld.tick = loop
"""


@NEEDS_PROC
def test_a_zone_in_an_endless_loop_is_reported_with_its_stack_and_replaced(start, tmp_path):
    once = tmp_path / "has-looped"
    (tmp_path / "patch").mkdir()
    patch = ENDLESS_LOOP.replace("sys.argv[-1]", repr(str(once)))
    hook = f"import sys\nif 'forkserver' in ' '.join(sys.orig_argv):\n    exec({patch!r})\n"
    (tmp_path / "patch" / "sitecustomize.py").write_text(hook)
    path = os.pathsep.join([str(tmp_path / "patch"), str(Path(__file__).resolve().parents[3])])
    command = start(
        *CHAINS, "--zones", "2", "--ticks", "50", "--out", "run", environment={"PYTHONPATH": path}
    )

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert once.exists()
    told = {kind: detail for kind, _, detail in events(tmp_path / "run")}
    assert "it runs and does not come back" in told["zone-hung"].splitlines()[0]
    assert "in loop_for_ever" in told["zone-hung"]
    for zone in (0, 1):
        assert sorted(set(ticks_of(tmp_path / "run", zone))) == list(range(50))


def test_a_zone_that_keeps_dying_is_quarantined_and_the_others_continue(start, tmp_path):
    command = start(
        *CHAINS, "--zones", "2", "--duration", "600", "--out", "run",
        "--set", "supervision.restarts=2", "--set", "supervision.backoff_s=0.01",
    )  # fmt: skip
    command.wait_for_step(tmp_path / "run")
    pid = 0
    for _ in range(3):
        pid = zone_pid(command, 0, besides=pid)
        os.kill(pid, signal.SIGKILL)
    wait_for_event(command, tmp_path / "run", "zone-quarantined")
    [session] = command.sessions()
    before = read_view(session).progress.ticks
    command.wait_until(lambda: read_view(session).progress.ticks > before, "ticks of the other")
    command.signal(signal.SIGINT)

    ended = command.finish()

    assert ended.code == 130
    [given_up] = [event for event in events(tmp_path / "run") if event[0] == "zone-quarantined"]
    assert given_up[1:] == (
        0, "died 3 times, the last time by signal 9; it is not started again"
    )  # fmt: skip
    assert "zone-quarantined: zone 0 (pid " in ended.error


def test_a_run_with_no_zone_left_ends_with_its_summary_and_the_reason(start, tmp_path):
    command = start(
        *(*CHAINS, "--duration", "600", "--set", "supervision.restarts=0"),
        *("--out", "run", "--report"),
    )
    command.wait_until_it_ticks(tmp_path / "run")
    os.kill(command.wait_for_process("zonesim zone 0"), signal.SIGKILL)

    ended = command.finish()

    why = "no zone is left: zonesim zone 0 died 1 times, the last time by signal 9"
    assert ended.code == 1
    assert f"run failed: {why}" in ended.output
    assert f"run-failed: {why}" in ended.error
    assert events(tmp_path / "run")[-1] == ("run-failed", None, why)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["failure"] == why
    [step] = summary["steps"]
    assert step["ticks"] > 0
    assert step["duration_s"] < 600
    assert why in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_death_of_the_fork_server_is_an_event_and_zones_are_restarted(start, tmp_path, workers):
    options = ("--zones", "2", "--duration", "600", "--workers", workers, "--out", "run")
    command = start(*CHAINS, *options)
    command.wait_for_step(tmp_path / "run")
    server = fork_server(command)
    os.kill(server, signal.SIGKILL)
    wait_for_event(command, tmp_path / "run", "fork-server-died")
    os.kill(zone_pid(command, 1), signal.SIGKILL)
    wait_for_event(command, tmp_path / "run", "zone-restarted")
    command.signal(signal.SIGINT)

    assert command.finish().code == 130
    kinds = [kind for kind, zone, _ in events(tmp_path / "run") if zone == 1]
    assert kinds == ["zone-died", "zone-restarted"]
    query = "SELECT pid FROM events WHERE kind = 'fork-server-died'"
    told = [pid for (pid,) in saved(tmp_path / "run", query)]
    assert told == [server]


def fork_server(command: Command) -> int:
    """The process that all others are forked from."""
    found = [pid for pid, line in command.processes().items() if "forkserver" in line]
    assert len(found) == 1
    return found[0]


@pytest.mark.slow  # it waits until a fork server that starts nothing is given up
def test_a_fork_server_that_hangs_is_replaced_when_a_zone_has_to_be_started(start, tmp_path):
    command = start(*CHAINS, "--zones", "2", "--duration", "600", "--out", "run")
    command.wait_for_step(tmp_path / "run")
    os.kill(fork_server(command), signal.SIGSTOP)
    os.kill(zone_pid(command, 1), signal.SIGKILL)
    wait_for_event(command, tmp_path / "run", "zone-restarted")
    command.signal(signal.SIGINT)

    assert command.finish().code == 130
    told = [detail for kind, _, detail in events(tmp_path / "run") if kind == "zone-died"]
    assert any("the fork server started nothing within" in detail for detail in told)


def test_at_full_speed_a_death_loses_no_row_of_a_tick(start, tmp_path):
    ticks = ("--ticks", "3000", "--pace", "max", "--out", "run", "--json")
    command = start("run", "chains", "--set", "chains.chains=10", *ticks)
    command.wait_for_ticks(tmp_path / "run")
    os.kill(zone_pid(command, 0), signal.SIGKILL)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert any(event["kind"] == "zone-restarted" for event in ended.document["events"])
    assert set(ticks_of(tmp_path / "run", 0)) == set(range(3000))


@NEEDS_PROC
def test_a_worker_that_never_returns_is_reported_with_its_stack(start, tmp_path):
    loop = ("--set", "chains.chains=1", "--set", "chains.work=spin:60000ms")
    soon = ("--set", "supervision.worker_hang_s=0.3", "--set", "supervision.restarts=0")
    ended = start(*CHAINS, *loop, *soon, "--workers", "1", "--ticks", "1", "--out", "run").finish()

    assert ended.code == 1
    assert "run-failed: no zone is left: zonesim zone 0" in ended.error
    assert "Traceback" not in ended.error
    hung = saved(tmp_path / "run", "SELECT worker, detail FROM events WHERE kind LIKE '%hung'")
    assert {worker for worker, _ in hung} == {1}
    assert all("in do_work" in told for _, told in hung)


def test_a_tick_that_hangs_is_reported_with_what_it_awaits(start, tmp_path):
    # One call takes longer than tick_hang_s, while all processes send heartbeats.
    waits = ("--set", "chains.chains=1", "--set", "chains.work=sleep:60000ms")
    soon = ("--set", "supervision.tick_hang_s=0.4", "--set", "supervision.restarts=1")
    ended = start(*CHAINS, *waits, *soon, "--ticks", "1", "--out", "run").finish()

    assert ended.code == 1
    told = [event for event in events(tmp_path / "run") if event[1] == 0]
    kinds = [kind for kind, _, _ in told]
    once = ["zone-hung", "zone-died"]
    assert kinds == [*once, "zone-restarted", *once, "zone-quarantined"]
    reason, _, stacks = told[0][2].partition("\n")
    assert reason.startswith(
        "zone 0: tick 0 made no progress for 0.4 s; raise supervision.tick_hang_s"
    )
    assert stacks.startswith("1 Task at\n")
    assert "answer_after_work" in told[0][2]
