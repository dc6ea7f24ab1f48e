"""Zones that a step leaves out hand over their players, end, and come back as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from zonesim_runs import CHECKOUT, Command, needs_titles, saved

STEPS = ("run", "field", "--zones", "4,1,3", "--ticks", "12", "--set", "period_ms=20")
FEW = ("--set", "field.mobs=20", "--set", "field.players=5", "--workers", "1", "--json")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The folder of these steps without deaths, and the summary."""
    folder = tmp_path_factory.mktemp("calm")
    command = Command(*STEPS, *FEW, "--out", "run", cwd=folder)
    ended = command.finish()
    assert command.clean_up() == ({}, [])
    assert ended.code == 0, ended.error
    return folder / "run", ended.document


@pytest.fixture
def calm_hash(calm):
    """The hash of the worlds of these steps."""
    return calm[1]["world_hash"]


def players_of(folder: Path) -> dict[tuple[int, int], list[int]]:
    """By step and zone, how many players there were in its ticks, in order of the ticks."""
    query = "SELECT step, zone, players FROM ticks ORDER BY started_ns"
    found: dict[tuple[int, int], list[int]] = {}
    for step, zone, players in saved(folder, query):
        found.setdefault((step, zone), []).append(players)
    return found


def expect_players_handed_over(folder: Path, document) -> None:
    """All players go to the zone that stays, and do not come back with the zones that do."""
    players = players_of(folder)
    assert {key: set(of) for key, of in players.items()} == {
        (1, 0): {5}, (1, 1): {5}, (1, 2): {5}, (1, 3): {5},
        (2, 0): {20},
        (3, 0): {20}, (3, 1): {0}, (3, 2): {0},
    }  # fmt: skip
    drained = [(e["zone"], e["detail"]) for e in document["events"] if e["kind"] == "zone-drained"]
    assert drained == [(zone, "its players go to zone 0") for zone in (1, 2, 3)]


def test_players_go_to_the_zones_that_stay_and_a_zone_comes_back_where_it_ended(calm):
    folder, document = calm
    expect_players_handed_over(folder, document)
    ticks = saved(folder, "SELECT tick FROM ticks WHERE zone = 1 ORDER BY started_ns")
    assert [tick for (tick,) in ticks] == list(range(24))
    lives = saved(folder, "SELECT count(DISTINCT pid) FROM ticks WHERE zone = 1")
    assert lives == [(2,)]


@pytest.mark.parametrize("together", ["2", pytest.param("4", marks=pytest.mark.slow)])
def test_players_go_to_the_zones_that_stay_in_whatever_process(
    start, tmp_path, calm_hash, together
):
    ended = start(*STEPS, *FEW, "--zones-per-process", together, "--out", "run").finish()

    assert ended.code == 0, ended.error
    assert ended.document["world_hash"] == calm_hash
    expect_players_handed_over(tmp_path / "run", ended.document)


@needs_titles
def test_the_processes_of_drained_zones_end_while_others_tick(start, tmp_path):
    steps = ("scale", "field", "--zones", "4,1", "--duration", "2", "--set", "period_ms=100")
    command = start(*steps, *FEW, "--out", "run")

    def zones() -> set[str]:
        return {line for line in command.processes().values() if line.startswith("zonesim zone")}

    command.wait_until(lambda: len(zones()) == 4, "zones")
    command.wait_until(lambda: zones() == {"zonesim zone 0"}, "end of three of them")
    ended = command.finish()

    assert ended.code == 0, ended.error
    assert players_of(tmp_path / "run")[2, 0][-1] == 20


# Each zone dies once at the worst moment: right before or after a message that others rely on, or
# before players are saved. And the disk refuses some checkpoints of zones that took players in.
DIE_ONCE = """
import os
import signal

import zonesim.zone.reporter as reporter
import zonesim.zone.checkpoint as checkpoints
import zonesim.zone.zone as zone

def die_once(moment, name):
    if moment != {fatal!r}:
        return
    try:  # of several that come at the same time, one makes it
        os.close(os.open({folder!r} + "/" + name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)

say, save, release = reporter.Reporter.send, checkpoints.save, zone.Zone.release

async def say_or_die(self, message):
    kind, name = type(message).__name__, str(getattr(message, "zone", os.getppid()))
    die_once("before " + kind, name)
    await say(self, message)
    die_once("after " + kind, name)

refusals = {refusals}

def save_or_die(path, checkpoint):
    global refusals
    if checkpoint.adopted:
        die_once("before save", "adopted")
        refusals -= 1
        if refusals >= 0:
            raise OSError(28, "No space left on device")
    save(path, checkpoint)

def release_or_die(self):
    die_once("before release", str(self.spec.zone))
    return release(self)

reporter.Reporter.send = say_or_die
checkpoints.save = save_or_die
zone.Zone.release = release_or_die
"""
DRAINED, HEIR = {1, 2, 3}, {0}
MOMENTS = {
    "before release": DRAINED,
    "before Drained": DRAINED,
    "after Drained": DRAINED,
    "before save": HEIR,
    "before Adopted": HEIR,
    "after Adopted": HEIR,
}


@pytest.fixture
def start_dying(start, tmp_path):
    """Start a command whose zones die at a moment."""

    def start_command(fatal: str, *arguments: str, refusals: int = 0) -> Command:
        folder = tmp_path / "patch"
        folder.mkdir()
        patch = DIE_ONCE.format(folder=str(folder), fatal=fatal, refusals=refusals)
        hook = f"import sys\nif 'forkserver' in ' '.join(sys.orig_argv):\n    exec({patch!r})\n"
        (folder / "sitecustomize.py").write_text(hook)
        path = os.pathsep.join([str(folder), str(CHECKOUT)])
        return start(*arguments, environment={"PYTHONPATH": path})

    return start_command


@pytest.mark.parametrize("fatal", MOMENTS)
def test_no_death_in_a_handover_loses_or_doubles_a_player(start_dying, tmp_path, calm_hash, fatal):
    ended = start_dying(fatal, *STEPS, *FEW, "--out", "run").finish()

    assert ended.code == 0, ended.error
    died = {event["zone"] for event in ended.document["events"] if event["kind"] == "zone-died"}
    # After its last message a zone may be told to end before its death is noticed.
    assert died <= MOMENTS[fatal] if fatal == "after Drained" else died == MOMENTS[fatal]
    assert ended.document["world_hash"] == calm_hash
    assert set(players_of(tmp_path / "run")[2, 0]) == {20}


def handover_events(ended) -> list[tuple[str, int]]:
    events = [e for e in ended.document["events"] if e["kind"].startswith("players-")]
    return [(event["kind"], event["zone"]) for event in events]


def test_an_heir_that_cannot_be_saved_dies_and_no_player_is_lost(start_dying, tmp_path, calm_hash):
    ended = start_dying("after Adopted", *STEPS, *FEW, "--out", "run", refusals=10**9).finish()

    assert ended.code == 0, ended.error
    events = {(event["kind"], event["zone"]) for event in ended.document["events"]}
    assert {("checkpoint-unwritable", 0), ("zone-died", 0)} <= events
    assert set(handover_events(ended)) == {("players-unsaved", 0)}
    assert ended.document["world_hash"] == calm_hash
    assert set(players_of(tmp_path / "run")[2, 0]) == {20}


def test_players_on_their_way_to_a_zone_that_is_given_up_go_to_another_one(start_dying, tmp_path):
    steps = ("run", "field", "--zones", "4,2", "--ticks", "12", "--set", "period_ms=40")
    never_again = ("--set", "supervision.restarts=0", "--set", "limits.unhealthy=0")
    ended = start_dying("before save", *steps, *FEW, *never_again, "--out", "run").finish()

    assert ended.code == 1, ended.error
    [(kind, given_up)] = handover_events(ended)
    assert kind == "players-redirected"
    [heir] = {0, 1} - {given_up}
    assert players_of(tmp_path / "run")[2, heir][-1] == 5 + 5 + 5


def test_a_zone_that_dies_between_two_steps_runs_again_what_was_not_saved(
    start_dying, tmp_path, calm_hash
):
    ended = start_dying("after LegDone", *STEPS, *FEW, "--out", "run").finish()

    assert ended.code == 0, ended.error
    assert any(event["kind"] == "zone-died" for event in ended.document["events"])
    assert ended.document["world_hash"] == calm_hash
    ticks = saved(tmp_path / "run", "SELECT DISTINCT tick FROM ticks WHERE zone = 0")
    assert {tick for (tick,) in ticks} == set(range(36))


def test_zones_that_come_and_go_repeatedly_keep_every_player(start_dying, tmp_path):
    # Also where a zone that has come back dies before it has been saved again.
    steps = ("run", "field", "--zones", "4,1,4,1", "--ticks", "6", "--set", "period_ms=20")
    rarely = ("--set", "supervision.checkpoint_ticks=0")
    ended = start_dying("before Drained", *steps, *FEW, *rarely, "--out", "run").finish()

    assert ended.code == 0, ended.error
    assert players_of(tmp_path / "run")[4, 0][-1] == 20
