from __future__ import annotations

import msgspec
import pytest

from zonesim.doctor.capacity import work_out
from zonesim.doctor.examine import Diagnosis
from zonesim.doctor.findings import judge, judge_sessions
from zonesim.doctor.text import SESSIONS_TOLD, doctor_text
from zonesim.doctor.trial import Trial
from zonesim.system.sessions import SessionReport

TRIAL = Trial(ticks=30, zone_ns=3_000_000, worker_ns=1_000_000, worker_mb=50.0)
LIVE = SessionReport("/dev/shm/corororo-0-17-x", "live", "me", True, 17, 90.0, 3 * 10**6, 1, 2)


@pytest.fixture
def diagnose(facts, scenario):
    """A diagnosis on paper, of sessions and of facts that a test changes."""

    def examine(*sessions: SessionReport, **changes: object) -> Diagnosis:
        found = facts(**changes)
        return Diagnosis(
            format=1,
            findings=[*judge(found, scenario), *judge_sessions(sessions, [])],
            capacity=work_out(found, TRIAL, scenario),
            trial=TRIAL,
            facts=found,
            sessions=list(sessions),
            removed=[],
            kept=[],
        )

    return examine


def test_a_good_machine_without_sessions_fits_a_terminal_of_80_by_24(diagnose):
    lines = doctor_text(diagnose()).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "-> 480 zones, bound by CPU; 8 workers, bound by CPU"


def test_long_lines_are_wrapped_below_their_beginning(diagnose):
    text = doctor_text(diagnose(instead=["some thing is done in some other way"] * 9))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    start = next(i for i, line in enumerate(lines) if line.startswith("ok       system"))
    assert lines[start + 1].startswith(" " * 24)


def test_a_remedy_stands_below_what_is_bad(diagnose):
    lines = doctor_text(diagnose(places=[])).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("warning"))
    assert lines[at].startswith("warning  session place  none")
    assert lines[at + 1].strip().startswith("-> make /dev/shm")


def test_a_session_is_told_with_whose_it_is_how_old_and_how_large(diagnose):
    text = doctor_text(diagnose(LIVE))
    assert "live     /dev/shm/corororo-0-17-x\n" in text
    assert text.endswith("         of me, pid 17, 90 s old, 3 MB, 1 zone, 2 workers")


@pytest.mark.parametrize(
    ("age_s", "told"),
    [(0.4, "0 s old"), (119, "119 s old"), (121, "2 minutes old"), (9_000, "2 hours old")],
)
def test_ages_are_told_in_a_unit_that_fits(diagnose, age_s, told):
    stale = msgspec.structs.replace(LIVE, state="stale", age_s=age_s, size_bytes=None)
    text = doctor_text(diagnose(stale))
    assert text.endswith(f"of me, pid 17, {told}")


def test_of_very_many_sessions_the_oldest_are_told(diagnose):
    lines = doctor_text(diagnose(*[LIVE] * (SESSIONS_TOLD + 7))).splitlines()
    assert lines[-1] == "and 7 more, which --json lists"
    assert sum(line.startswith("live") for line in lines) == SESSIONS_TOLD


def test_what_was_removed_is_named_at_the_end(diagnose):
    cleaned = msgspec.structs.replace(diagnose(), removed=["/dev/shm/a", "/tmp/b"])
    assert doctor_text(cleaned).splitlines()[-2:] == ["removed: /dev/shm/a", "removed: /tmp/b"]
