"""Runs in which all processes use the portable code paths."""

from __future__ import annotations

import os
import signal

import pytest
from waiting import wait_until

pytestmark = [pytest.mark.timeout(90), pytest.mark.usefixtures("portable")]

SMALL = ("--ticks", "3", "--set", "period_ms=40", "--zones", "2", "--json")
SCENARIOS = {
    "chains": ("run", "chains", *SMALL, "--workers", "2"),
    "field": ("run", "field", *SMALL, "--workers", "1", "--set", "field.mobs=60"),
}
SLOW = {"field": [pytest.mark.slow]}
LINUX = {"CORORORO_PORTABLE": "0"}
ENDLESS = ("--duration", "600", "--set", "chains.chains=4", "--set", "period_ms=40", "--out", "run")
BLOCKED = ("--set", "chains.work=sleep:20000ms")


@pytest.fixture
def start_portable(start, import_path):
    """Start a command without the features of Linux."""
    environment = {"PYTHONPATH": os.pathsep.join(map(str, import_path))}
    return lambda *arguments: start(*arguments, environment=environment)


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(of, id=name, marks=SLOW.get(name, [])) for name, of in SCENARIOS.items()],
)
def test_the_world_is_the_same_without_the_features_of_linux(start, start_portable, scenario):
    ways = {
        "portable": start_portable(*scenario, "--out", "portable"),
        "as ever": start(*scenario, "--out", "as-ever", environment=LINUX),
    }

    ended = {name: command.finish() for name, command in ways.items()}

    assert {name: run.code for name, run in ended.items()} == dict.fromkeys(ways, 0)
    documents = {name: run.document for name, run in ended.items()}
    assert len({document["world_hash"] for document in documents.values()}) == 1
    [step] = documents["portable"]["steps"]
    calls = step["async_tasks"]
    assert calls["submitted"] == calls["completed"] > 0
    assert step["pss_mb_per_zone"] is None
    assert "Traceback" not in ended["portable"].error


@pytest.mark.parametrize("workers", ["2", pytest.param("0", marks=pytest.mark.slow)])
def test_nothing_outlives_a_killed_controller(start_portable, tmp_path, workers):
    run = ("run", "chains", "--zones", "2", "--workers", workers, *BLOCKED, *ENDLESS)
    command = start_portable(*run)
    command.wait_for_step(tmp_path / "run")
    before = command.processes()
    assert len(before) >= 2 + int(workers) + 1
    assert [line for line in before.values() if line.startswith("zonesim ")] == []

    command.signal(signal.SIGKILL)
    assert command.finish().code == -signal.SIGKILL
    wait_until(lambda: not command.processes(), "every process has ended", 2)

    next_one = ("run", "chains", "--ticks", "1", "--workers", "1", "--set", "chains.chains=4")
    ended = start_portable(*next_one, "--out", "next").finish()
    assert (ended.code, "Traceback" in ended.error) == (0, False)
    assert command.sessions() == []
