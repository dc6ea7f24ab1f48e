"""A diagnosis as text in 80 columns. Prints nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from zonesim.doctor.capacity import Capacity
from zonesim.doctor.examine import Diagnosis
from zonesim.doctor.findings import Finding, size_text
from zonesim.system.sessions import SessionReport

COLUMNS = 80
SESSIONS_TOLD = 10
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def doctor_text(diagnosis: Diagnosis) -> str:
    """Findings, what fits, sessions, what was removed; no line feed at the end."""
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
        lines += _hung(f"{finding.verdict:7}  {finding.what:{width}}  ", finding.found)
        if finding.remedy:
            lines += _hung(f"{'':7}  {'':{width}}  ", f"-> {finding.remedy}")
    return lines


def _capacity(capacity: Capacity) -> list[str]:
    width = max(len(bound.what) for bound in capacity.bounds)
    lines = [f"{'what fits':{width}}  zones  workers"]
    for bound in capacity.bounds:
        head = f"{bound.what:{width}}  {_count(bound.zones):>5}  {_count(bound.workers):>7}  "
        lines += _hung(head, bound.assumes)
    zones, workers = _counted(capacity.zones, "zone"), _counted(capacity.workers, "worker")
    return [
        *lines,
        f"-> {zones[0]}, bound by {capacity.zones_bound}; "
        f"{workers[0]}, bound by {capacity.workers_bound}",
    ]


def _sessions(sessions: Sequence[SessionReport]) -> list[str]:
    lines = []
    for session in sessions[:SESSIONS_TOLD]:
        lines += [f"{session.state:7}  {session.directory}", f"{'':7}  {_told(session)}"]
    more = len(sessions) - SESSIONS_TOLD
    return [*lines, f"and {more} more, which --json lists"] if more > 0 else lines


def _told(session: SessionReport) -> str:
    parts = [f"of {session.user}, pid {session.pid}", _age(session.age_s)]
    if session.size_bytes is not None:
        parts.append(size_text(session.size_bytes))
    if session.state == "live":
        parts += _counted(session.zones, "zone") + _counted(session.workers, "worker")
    return ", ".join(parts)


def _counted(count: int | None, what: str) -> list[str]:
    return [] if count is None else [f"{count} {what}{'' if count == 1 else 's'}"]


def _age(age_s: float) -> str:
    """How old something is, in the largest unit of which there are two."""
    for unit_s, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if age_s >= 2 * unit_s:
            return f"{age_s / unit_s:.0f} {name} old"
    return f"{age_s:.0f} s old"


def _count(figure: int | None) -> str:
    return "-" if figure is None else str(figure)


def _hung(head: str, text: str) -> list[str]:
    """A text behind its head, wrapped so that its lines stand below each other."""
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
        break_long_words=False,
    )
