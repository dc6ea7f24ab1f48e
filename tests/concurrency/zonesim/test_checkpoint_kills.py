"""Checkpoints of a process that is killed while it writes them."""

from __future__ import annotations

import subprocess
import sys
import time

from zonesim.zone.checkpoint import load

SAVE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from zonesim.zone.checkpoint import Checkpoint, save
for tick in count():
    save(Path(sys.argv[1]), Checkpoint(tick, tick, b"%d" % tick * 4000))
"""
PATIENCE_S = 30.0


def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(tmp_path):
    for kill in range(6):
        path = tmp_path / f"zone-{kill}"
        with subprocess.Popen([sys.executable, "-c", SAVE_FOR_EVER, path]) as saving:
            end = time.monotonic() + PATIENCE_S
            while not path.exists() and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(kill / 1000)  # another moment of its writing each time
            saving.kill()
        found = load(path)
        assert found is not None
        assert found.snapshot == b"%d" % found.tick * 4000
