"""How many processes hold the zones of a run, where the scenario leaves that to this machine."""

from __future__ import annotations

from zonesim.results.saved_run import Packing
from zonesim.results.step_table import count_zones
from zonesim.scenario.loading import Scenario

from .capacity import Capacity, work_out
from .facts import gather
from .trial import measure_tick

TRIAL_S = 1.0


def choose_packing(scenario: Scenario) -> Packing | None:
    """Choose the processes of a run with ``zones_per_process = "auto"``; None for any other.

    Each zone has a process as long as this machine carries that for the largest step; otherwise
    there is one process for each CPU. RunFailed where a tick cannot even be tried.
    """
    if scenario.zones_per_process != "auto":
        return None
    facts = gather()
    found = work_out(facts, measure_tick(scenario, TRIAL_S, facts.places), scenario)
    return pack(max(scenario.steps), found, facts.whole_cpus)


def pack(zones: int, found: Capacity, cpus: int) -> Packing:
    """Apply the rule to a number of zones."""
    processes = zones if zones <= found.zones else min(zones, cpus)
    if processes == zones:
        chosen = f"{count_zones(zones)}, a process each; this machine carries"
    else:
        chosen = f"{count_zones(zones)} in {processes} processes; a process each would carry"
    text = f"{chosen} {found.zones} ({found.zones_bound}), packed {found.zones_packed}"
    return Packing(processes, found.zones, found.zones_packed, text)
