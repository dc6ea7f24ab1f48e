"""A module whose import waits, in children of the fork server that a file is named for."""

import os
import tempfile
import time
from pathlib import Path


def hold_file(server: int) -> Path:
    """Where it stands, the children of this server wait."""
    return Path(tempfile.gettempdir(), f"corororo-test-hold-{server}")


_end = time.monotonic() + 20.0
_hold = hold_file(os.getppid())
while _hold.exists() and time.monotonic() < _end:
    time.sleep(0.01)
