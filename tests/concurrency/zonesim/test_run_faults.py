"""Scenarios that say what goes wrong: it does, and the run holds its limits against what came."""

from __future__ import annotations

import pytest
from zonesim_runs import Command, needs_titles, saved

pytestmark = needs_titles

RUN = """
workload = "field"
zones = 3
ticks = 60
period_ms = 50
workers = 2

[field]
mobs = 30
players = 5
"""
CHAINS = """
workload = "chains"
zones = 2
ticks = 20
period_ms = 50
workers = 1

[chains]
chains = 4
"""
HARD = """
[[faults]]
kind = "kill-worker"
at_tick = 10

[[faults]]
kind = "kill-zone"
at_tick = 25
zone = 1

[[faults]]
kind = "stall-zone"
at_tick = 20
zone = 2

[[faults]]
kind = "stall-worker"
at_tick = 40
for_s = 0.3

[[faults]]
kind = "slow-disk"
at_s = 0.5
delay_ms = 20
for_s = 1
"""
SURGE = """
[[faults]]
kind = "surge"
at_tick = 15
players = 8
for_s = 1
"""
LIMITS = """
[limits]
lost = 0
unhealthy = 0
redone_ticks = 10
recovery_ms = 60000
"""


@pytest.fixture
def run(start, tmp_path):
    def run_text(text: str, *arguments: str):
        (tmp_path / "hard.toml").write_text(text)
        return start("run", "hard.toml", "--json", "--out", "run", *arguments).finish(60)

    return run_text


@pytest.fixture(scope="module")
def surge(tmp_path_factory):
    """The folder of a run in which nothing happens but a surge, and what it said."""
    folder = tmp_path_factory.mktemp("surge")
    (folder / "surge.toml").write_text(RUN + SURGE + LIMITS)
    one_worker = ("--workers", "1")
    command = Command("run", "surge.toml", *one_worker, "--json", "--out", "run", cwd=folder)
    ended = command.finish(60)
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended.document


def faults(document) -> list[tuple[int | None, str]]:
    return [(e["zone"], e["detail"]) for e in document["events"] if e["kind"] == "fault"]


def test_what_goes_wrong_is_told_and_the_world_is_that_of_a_calm_run(run, surge):
    ended = run(RUN + HARD + SURGE + LIMITS)

    assert ended.code == 0, ended.error
    assert ended.document["limits"] == {"ok": True, "broken": []}
    _, calm = surge
    assert ended.document["world_hash"] == calm["world_hash"]
    told = faults(ended.document)
    assert {"killed", "stopped", "stopped for 0.3 s"} <= {detail for _, detail in told}
    assert (1, "killed") in told
    assert (2, "stopped") in told
    assert (None, "8 more players for 1 s in all zones") in told
    assert (None, "disk: each write 20 ms longer for 1 s") in told
    kinds = [event["kind"] for event in ended.document["events"]]
    assert kinds.count("zone-restarted") == kinds.count("zone-died") == 2
    assert "zone-hung" in kinds
    assert "worker-died" in kinds


def test_a_surge_brings_players_for_its_time_and_takes_nobody_else_away(surge):
    folder, _ = surge

    query = "SELECT tick, players FROM ticks WHERE zone = 2 ORDER BY tick"
    players = dict(saved(folder, query))
    assert {tick for tick, number in players.items() if number == 13} == set(range(15, 35))
    assert {number for tick, number in players.items() if not 15 <= tick < 35} == {5}


def test_a_run_that_does_not_recover_as_its_limits_say_ends_with_exit_code_1(run):
    kill = '\n[[faults]]\nkind = "kill-zone"\nat_tick = 9\nzone = 0\n'
    limits = "\n[limits]\nunhealthy = 0\n[supervision]\nrestarts = 0\n"
    ended = run(CHAINS + kill + limits)

    assert ended.code == 1, ended.error
    assert ended.document["limits"]["broken"] == ["run: unhealthy is 1, above the limit of 0"]
    assert any(event["kind"] == "zone-quarantined" for event in ended.document["events"])
    # What it never ran is missed, in the figures and in what was shown.
    [step] = ended.document["steps"]
    assert step["missed"] >= 2 * 20 - step["ticks"] >= 10
    assert f" {step['missed']} missed" in ended.error
