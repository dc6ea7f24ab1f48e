"""The whole diagnosis of `zonesim doctor`, and its text in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import msgspec

from zonesim.results.step_table import count_zones
from zonesim.scenario.loading import load_scenario
from zonesim.system.errors import RunFailed
from zonesim.system.sessions import Kept, SessionReport, clean_up, describe_sessions

from .capacity import Capacity, work_out
from .facts import Facts, gather
from .findings import Finding, judge, judge_sessions, size_text
from .trial import Trial, measure_tick

FORMAT = 1
TRIAL_S = 1.5
MODEL = "scale"  # the scenario whose zones and workers are counted
COLUMNS = 80


class Diagnosis(msgspec.Struct, frozen=True):
    """What `zonesim doctor --json` prints."""

    format: int
    findings: list[Finding]
    capacity: Capacity
    trial: Trial | None  # None where not even one zone could tick
    facts: Facts
    sessions: list[SessionReport]  # after the cleaning
    removed: list[str]
    kept: list[Kept]  # should have been removed, and could not be


def examine(clean: bool) -> Diagnosis:
    """Examine the machine; with ``clean`` remove what killed runs of this user left behind."""
    removed, kept = clean_up() if clean else ([], [])
    sessions = describe_sessions()
    facts = gather()
    scenario = load_scenario(MODEL)
    findings = [*judge(facts, scenario), judge_sessions(sessions, kept)]
    trial = None
    try:
        trial = measure_tick(scenario, TRIAL_S, facts.places)
    except RunFailed as error:
        remedy = "without this, no run can start; the lines above may show why"
        findings.append(Finding("a tick", f"cannot be run: {error}", remedy))
    capacity = work_out(facts, trial, scenario)
    return Diagnosis(FORMAT, findings, capacity, trial, facts, sessions, removed, kept)


def doctor_text(diagnosis: Diagnosis) -> str:
    """Findings, capacity, sessions and what was removed; no line feed at the end."""
    parts = [
        _findings(diagnosis.findings),
        _capacity(diagnosis.capacity),
        _sessions(diagnosis.sessions),
        [f"removed: {directory}" for directory in diagnosis.removed],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _findings(findings: Sequence[Finding]) -> list[str]:
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines += _wrapped(f"{finding.verdict:7}  {finding.what:{width}}  ", finding.found)
        if finding.remedy:
            lines += _wrapped(f"{'':7}  {'':{width}}  ", f"-> {finding.remedy}")
    return lines


def _capacity(capacity: Capacity) -> list[str]:
    width = max(len(bound.what) for bound in capacity.bounds)
    lines = [f"{'capacity by':{width}}  zones  packed  workers"]
    for bound in capacity.bounds:
        counts = (bound.zones, bound.zones_packed, bound.workers)
        zones, packed, workers = ("-" if count is None else str(count) for count in counts)
        head = f"{bound.what:{width}}  {zones:>5}  {packed:>6}  {workers:>7}  "
        lines += _wrapped(head, bound.assumes)
    zones, workers = count_zones(capacity.zones), _counted(capacity.workers, "worker")
    return [
        *lines,
        f"-> {zones} with a process each, limited by {capacity.zones_bound}",
        f"-> {count_zones(capacity.zones_packed)} with --zones-per-process auto, limited by "
        f"{capacity.zones_packed_bound}",
        f"-> {workers}, limited by {capacity.workers_bound}",
    ]


def _sessions(sessions: Sequence[SessionReport]) -> list[str]:
    lines = []
    for session in sessions:
        lines += [f"{session.state:7}  {session.directory}", f"{'':7}  {_session(session)}"]
    return lines


def _session(session: SessionReport) -> str:
    parts = [f"of {session.user}, pid {session.pid}", _age(session.age_s)]
    if session.size_bytes is not None:
        parts.append(size_text(session.size_bytes))
    if session.state == "live":
        counts = ((session.zones, "zone"), (session.workers, "worker"))
        parts += [_counted(count, what) for count, what in counts if count is not None]
    return ", ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _age(age_s: float) -> str:
    for unit_s, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if age_s >= 2 * unit_s:
            return f"{age_s / unit_s:.0f} {name} old"
    return f"{age_s:.0f} s old"


def _wrapped(head: str, text: str) -> list[str]:
    """A text after its head, with the following lines indented below it."""
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
        break_long_words=False,
    )
