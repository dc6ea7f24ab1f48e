"""A run during which the wall clock jumps."""

from __future__ import annotations

import os
from pathlib import Path

from zonesim_runs import saved

CHECKOUT = Path(__file__).resolve().parents[3]
RUN = ("run", "field", "--zones", "2", "--workers", "1", "--set", "period_ms=50")
TICKS = ("--ticks", "40", "--set", "field.mobs=30", "--json")

# An hour forward and back, three times a second, in every process of the run.
JUMPING_CLOCK = """
import time

seconds, nanoseconds, steady = time.time, time.time_ns, time.monotonic

def jump():
    return 3600 if int(3 * steady()) % 2 else -3600

time.time = lambda: seconds() + jump()
time.time_ns = lambda: nanoseconds() + jump() * 10**9
"""


def test_a_wall_clock_that_jumps_changes_nothing_in_a_run(start, tmp_path):
    (tmp_path / "jumps").mkdir()
    (tmp_path / "jumps" / "sitecustomize.py").write_text(JUMPING_CLOCK)
    path = os.pathsep.join([str(tmp_path / "jumps"), str(CHECKOUT)])
    steady = start(*RUN, *TICKS, "--out", "steady").finish()

    jumping = start(*RUN, *TICKS, "--out", "jumping", environment={"PYTHONPATH": path}).finish()

    assert (steady.code, jumping.code) == (0, 0), jumping.error
    assert jumping.document["world_hash"] == steady.document["world_hash"]
    assert jumping.document["steps"][0]["ticks"] == 80
    assert saved(tmp_path / "jumping", "SELECT kind FROM events") == []
    backwards = "SELECT count(*) FROM ticks WHERE finished_ns < started_ns"
    assert saved(tmp_path / "jumping", backwards) == [(0,)]
