"""Workers say who they are, whatever stands in the environment of their program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from corororo._platform import HAS_PROC, HAS_TITLES

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not (HAS_TITLES and HAS_PROC), reason="no titles, or nowhere to read them"),
]
Start = Callable[[str, str], subprocess.Popen[str]]

PROGRAM = """
    from pathlib import Path
    import corororo as cr
    if __name__ == "__main__":
        with cr.WorkerPool(2) as pool:
            for worker in pool.statistics().workers:
                print(Path(f"/proc/{worker.pid}/cmdline").read_bytes().strip(b"\\0").decode())
"""


@pytest.mark.parametrize("more", [{}, {"LONG": "x" * 5_000, "PYTHONSAFEPATH": "1"}])
def test_workers_bear_their_titles(
    start_script: Start, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    program = start_script("titles.py", PROGRAM)  # with a PYTHONPATH
    output, errors = program.communicate(timeout=50)
    assert errors == ""
    assert sorted(output.split("\n")) == ["", "corororo worker 1", "corororo worker 2"]
