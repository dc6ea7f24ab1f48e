"""After each test with real processes, nothing may be left: no directory, no worker, no file."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from corororo._ring import candidate_bases


def sessions_of(pid: int) -> list[Path]:
    """Session directories that a process made and that stand still."""
    return [
        path
        for base in candidate_bases()
        for prefix in ("", ".")
        for path in base.glob(f"{prefix}corororo-{os.getuid()}-{pid}-*")
    ]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    assert sessions_of(os.getpid()) == []
    wait_until(lambda: not multiprocessing.active_children(), "no worker is left", 5)


@pytest.fixture
def start_script(
    tmp_path: Path, root: Path
) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Run a program of its own, with the packages and these helpers to import."""
    started: list[subprocess.Popen[str]] = []
    search = os.pathsep.join([str(root), str(Path(__file__).parent)])

    def start(name: str, source: str) -> subprocess.Popen[str]:
        script = tmp_path / name
        script.write_text(textwrap.dedent(source))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": search},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
