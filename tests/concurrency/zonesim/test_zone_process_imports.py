"""What a zone process must not import, and what processes call themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from zonesim_runs import CHECKOUT

HEAVY = ("matplotlib", "scipy", "numpy", "click", "rich", "sqlite3")


def test_the_module_of_a_zone_process_imports_nothing_heavy():
    code = f"import sys, zonesim.zone.process; print(*sys.modules.keys() & set({HEAVY}))"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}

    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "\n"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_zones_at_work_map_no_heavy_library_and_workers_have_one_thread(start, tmp_path):
    bounds = ("--zones", "2", "--duration", "600", "--set", "period_ms=2", "--workers", "1")
    command = start("run", "field", *bounds, "--set", "field.mobs=40", "--out", "run")
    command.wait_for_ticks(tmp_path / "run")
    zones = [command.wait_for_process(f"zonesim zone {number}") for number in range(2)]
    worker = command.wait_for_process("zonesim worker 1")

    threads = os.listdir(f"/proc/{worker}/task")
    mapped = [Path(f"/proc/{pid}/maps").read_text() for pid in zones]
    command.signal(signal.SIGINT)

    assert command.finish().code == 130
    assert threads == [str(worker)]  # none of those with which numpy would multiply matrices
    for text in mapped:
        assert "msgspec" in text
        assert [name for name in HEAVY if f"/{name}/" in text or f"/_{name}." in text] == []
