from __future__ import annotations

import msgspec
import pytest

from zonesim.scenario.faults import (
    KillWorker,
    KillZone,
    SlowDisk,
    StallWorker,
    StallZone,
    SurgeFault,
    fault_text,
)
from zonesim.scenario.load_shape import Surge
from zonesim.scenario.loading import Scenario, load_scenario

KINDS = '"kill-worker" or "kill-zone" or "stall-worker" or "stall-zone" or "surge" or "slow-disk"'

ALL = """
zones = 9
[[faults]]
kind = "kill-worker"
every_s = 2
[[faults]]
kind = "kill-zone"
at_s = 7.5
zone = 8
[[faults]]
kind = "stall-worker"
worker = 3
every_s = 40
first_s = 20
for_s = 3
[[faults]]
kind = "stall-zone"
at_tick = 12
[[faults]]
kind = "surge"
every_s = 60
players = 20
for_s = 10
[[faults]]
kind = "slow-disk"
at_s = 0
delay_ms = 250
for_s = 4
"""


@pytest.fixture
def load(write):
    return lambda text, overrides=None: load_scenario(write(text), overrides)


@pytest.fixture
def problem_of(write, refusal):
    """Load an invalid file; the message without the name of the file."""

    def problem_of(text: str, overrides: dict[str, object] | None = None) -> str:
        return refusal(write(text), overrides).split("mine.toml: ")[-1]

    return problem_of


def test_every_kind_of_fault_is_read(load):
    scenario = load(ALL)
    assert scenario.faults == [
        KillWorker(every_s=2),
        KillZone(at_s=7.5, zone=8),
        StallWorker(worker=3, every_s=40, first_s=20, for_s=3),
        StallZone(at_tick=12),
        SurgeFault(every_s=60, players=20, for_s=10),
        SlowDisk(at_s=0, delay_ms=250, for_s=4),
    ]
    assert msgspec.convert(msgspec.to_builtins(scenario), Scenario) == scenario
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario


def test_each_fault_has_a_short_line_of_text(load):
    assert list(map(fault_text, load(ALL).faults)) == [
        "kill-worker: a random worker, every 2 s",
        "kill-zone: zone 8, at 7.5 s",
        "stall-worker: worker 3, every 40 s from 20 s on, for 3 s",
        "stall-zone: a random zone, at tick 12, permanently",
        "surge: 20 more players in every zone, every 60 s, for 10 s",
        "slow-disk: each write 250 ms longer, at 0 s, for 4 s",
    ]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("", f": expected kind, {KINDS}, found a table without it"),
        ('kind = "kill"', f'.kind: expected {KINDS}, found "kill"'),
        ('kind = "surge"', ": expected players, a whole number from 1 to 1000, found"),
        ('kind = "kill-zone"\nevrey_s = 3', ".evrey_s: unknown key; nearest: every_s"),
        ('kind = "kill-zone"\nworker = 1', ".worker: unknown key; known: kind, at_tick, at_s"),
        ('kind = "kill-worker"\nworker = 0', ".worker: expected a whole number from 1 to 256, fo"),
        ('kind = "kill-zone"', ": expected one of at_tick, at_s and every_s, found none; add one"),
        ('kind = "kill-zone"\nat_s = 1\nevery_s = 2', ": expected one of at_tick, at_s and every"),
        ('kind = "kill-zone"\nat_s = 1\nfirst_s = 2', ": expected every_s beside first_s = 2"),
        ('kind = "surge"\nplayers = 1\nevery_s = 5\nfor_s = 6', ".for_s: expected at most every"),
    ],
)
def test_a_wrong_fault_is_refused_with_its_path_and_rule(problem_of, fault, problem):
    good = '[[faults]]\nkind = "kill-zone"\nat_s = 1\n'
    assert problem_of(f"{good}[[faults]]\n{fault}").startswith(f"$.faults[1]{problem}")


@pytest.mark.parametrize(
    ("run", "fault", "problem"),
    [
        ({"zones": [3, 5]}, {"kind": "kill-zone", "zone": 5}, "zone of the run, from 0 to 4"),
        ({"workers": 2}, {"kind": "stall-worker", "worker": 3}, "worker of the run, from 1 to 2"),
    ],
)
def test_a_fault_whose_target_the_run_never_has_is_refused(problem_of, run, fault, problem):
    message = problem_of("", run | {"faults": [fault | {"at_s": 1}]})
    assert message.startswith("command line: $.faults[0].")
    assert problem in message


@pytest.mark.parametrize("run", [{"workers": "auto"}, {"workers": 0}, {"transfer": "inline"}])
def test_a_worker_may_be_named_where_their_number_is_not_known_or_there_are_none(load, run):
    assert load("", run | {"faults": [{"kind": "kill-worker", "worker": 9, "at_s": 1}]}).faults


def surge(period_s: float = 0.4, **when: float) -> Surge:
    return SurgeFault(players=5, **when).surge(period_s)


def test_a_surge_begins_with_the_first_tick_at_or_after_its_moment():
    assert surge(at_s=1.2, for_s=2) == Surge(first_tick=3, ticks=5, players=5)
    assert surge(at_s=1.3, for_s=2.1) == Surge(first_tick=4, ticks=6, players=5)
    assert surge(at_tick=7, for_s=0.1) == Surge(first_tick=7, ticks=1, players=5)
    assert surge(at_s=0, for_s=1) == Surge(first_tick=0, ticks=3, players=5)


def test_a_surge_that_comes_again_keeps_its_times():
    assert surge(every_s=60, for_s=10, first_s=5) == Surge(13, 25, 5, every_ticks=150.0)
    assert surge(every_s=1, for_s=1).every_ticks == 2.5
    assert surge(every_s=0.1, for_s=0.1).every_ticks == 1


def test_a_zone_gets_the_surges_for_it_and_for_every_zone():
    faults = [SurgeFault(at_s=1, for_s=1, players=n, zone=zone) for n, zone in ((1, None), (2, 1))]
    scenario = Scenario(zones=2, period_ms=500, faults=[*faults, KillWorker(at_s=1)])
    assert scenario.surges_for(0) == (Surge(2, 2, 1),)
    assert scenario.surges_for(1) == (Surge(2, 2, 1), Surge(2, 2, 2))
