"""The same scenario, seed and number of ticks give the same world, whatever happens on the way."""

from __future__ import annotations

import os
import signal

import pytest
from zonesim_runs import Command, needs_titles

SAME = ("--zones", "3", "--ticks", "30", "--set", "period_ms=30", "--json")
SCENARIOS = {
    "field": ("run", "field", *SAME, "--set", "field.mobs=60"),
    "chains": ("run", "chains", *SAME, "--set", "chains.chains=8"),
}
INLINE = ("--workers", "0", "--zones-per-process", "3", "--pace", "max")
SLOW = ("--set", "chains.work=sleep:2ms")  # long enough for a death to come in the middle


def all_done(document):
    [step] = document["steps"]
    counts = step["async_tasks"]
    assert counts["lost"] == counts["failed"] == 0
    assert counts["submitted"] == counts["completed"] > 0
    assert step["ticks"] == 90


@pytest.fixture(scope="module")
def inline_hashes(tmp_path_factory):
    """The hash of each scenario's world when no other process has a hand in it."""
    folder = tmp_path_factory.mktemp("inline")
    commands = {
        name: Command(*scenario, *INLINE, "--out", name, cwd=folder)
        for name, scenario in SCENARIOS.items()
    }
    documents = {name: command.finish().document for name, command in commands.items()}
    for name, command in commands.items():
        assert command.clean_up() == ({}, [])
        all_done(documents[name])
    return {name: document["world_hash"] for name, document in documents.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_world_is_the_same_whoever_does_the_work(start, inline_hashes, name):
    ways = [
        ("--workers", "3", "--pace", "max"),
        ("--workers", "1", "--pace", "max", "--zones-per-process", "3"),
    ]

    commands = [start(*SCENARIOS[name], *way, "--out", str(n)) for n, way in enumerate(ways)]
    documents = [command.finish().document for command in commands]

    assert {document["world_hash"] for document in documents} == {inline_hashes[name]}
    for document in documents:
        all_done(document)


def test_another_seed_gives_another_world(start, inline_hashes):
    ended = start(*SCENARIOS["chains"], "--seed", "2", *INLINE).finish()

    assert ended.document["world_hash"] != inline_hashes["chains"]


@pytest.mark.parametrize("name", ["chains", pytest.param("field", marks=pytest.mark.slow)])
def test_a_killed_worker_changes_nothing_in_the_world_and_is_told_of(
    start, tmp_path, inline_hashes, name
):
    command = start(*SCENARIOS[name], *SLOW, "--workers", "2", "--out", "run")
    command.wait_for_step(tmp_path / "run")
    victim = command.wait_for_process("zonesim worker 1")
    os.kill(victim, signal.SIGKILL)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert ended.document["world_hash"] == inline_hashes[name]
    all_done(ended.document)
    [event] = ended.document["events"]
    assert (event["kind"], event["worker"], event["pid"]) == ("worker-died", 1, victim)
    assert event["detail"] == "by signal 9"
    assert f"worker-died: worker 1 (pid {victim}), by signal 9" in ended.error.splitlines()


@needs_titles
def test_a_killed_fork_server_changes_nothing_in_the_world(start, tmp_path, inline_hashes):
    command = start(*SCENARIOS["chains"], *SLOW, "--workers", "2", "--out", "run")
    command.wait_for_step(tmp_path / "run")
    [server] = [pid for pid, line in command.processes().items() if "forkserver" in line]
    os.kill(server, signal.SIGKILL)

    ended = command.finish()

    assert ended.code == 0, ended.error
    assert ended.document["world_hash"] == inline_hashes["chains"]
    all_done(ended.document)
