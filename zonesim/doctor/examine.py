"""The whole examination: what was found, what it means, what fits. Prints nothing."""

from __future__ import annotations

import msgspec

from zonesim.doctor.capacity import Capacity, work_out
from zonesim.doctor.facts import Facts, gather
from zonesim.doctor.findings import Finding, judge, judge_sessions
from zonesim.doctor.trial import Trial, measure_tick
from zonesim.scenario.loading import load_scenario
from zonesim.system.errors import RunFailed
from zonesim.system.sessions import Kept, SessionReport, clean_up, describe_sessions

FORMAT = 1
TRIAL_S = 1.5
MODEL = "scale"  # the scenario whose zones and workers are counted


class Diagnosis(msgspec.Struct, frozen=True):
    """What `zonesim doctor --json` prints."""

    format: int
    findings: list[Finding]
    capacity: Capacity
    trial: Trial | None  # None where not even one zone could tick
    facts: Facts
    sessions: list[SessionReport]  # that stand still, after the cleaning
    removed: list[str]  # what was cleaned away
    kept: list[Kept]  # what could not be


def examine(clean: bool) -> Diagnosis:
    """Look at everything; with ``clean`` remove what killed owners of this user left behind."""
    removed, kept = clean_up() if clean else ([], [])
    sessions = describe_sessions()
    facts = gather()
    scenario = load_scenario(MODEL)
    findings = [*judge(facts, scenario), *judge_sessions(sessions, kept)]
    trial = None
    try:
        trial = measure_tick(TRIAL_S)
    except RunFailed as error:
        remedy = "without this, no run can start; the lines above may tell why"
        findings.append(Finding("a tick", f"cannot be run: {error}", "warning", remedy))
    return Diagnosis(
        format=FORMAT,
        findings=findings,
        capacity=work_out(facts, trial, scenario),
        trial=trial,
        facts=facts,
        sessions=sessions,
        removed=removed,
        kept=kept,
    )
