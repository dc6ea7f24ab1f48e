"""After each test with real processes, nothing may be left: no directory, no worker, no file."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import living_of_session, wait_until

from corororo._platform import PORTABLE_VARIABLE
from corororo._ring import candidate_bases

LAST_ONES_S = 10.0  # 2 s are promised from the end of an owner to that of its last worker


def sessions_of(pid: int) -> list[Path]:
    """Session directories that a process made and that stand still."""
    return [
        path
        for base in candidate_bases()
        for prefix in ("", ".")
        for path in base.glob(f"{prefix}corororo-{os.getuid()}-{pid}-*")
    ]


def left_of_session(session: int) -> list[int]:
    """Processes that outlive the leader of a session for longer than they may; needs /proc."""
    deadline = time.monotonic() + LAST_ONES_S
    while (left := living_of_session(session)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    sessions, workers = sessions_of(os.getpid()), set(multiprocessing.active_children())
    yield  # a pool of the whole module is there before
    assert sessions_of(os.getpid()) == sessions
    wait_until(
        lambda: workers.issuperset(multiprocessing.active_children()), "no worker is left", 5
    )


@pytest.fixture
def import_path(root: Path) -> list[Path]:
    """Where programs of a test import from: the packages, and these helpers."""
    return [root, Path(__file__).parent]


@pytest.fixture
def refusals(tmp_path: Path) -> Path:
    """Where programs note what they asked for and macOS does not have."""
    return tmp_path / "refusals"


@pytest.fixture
def portable(
    import_path: list[Path], refusals: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Have the programs of a test take the portable ways, and find nothing else.

    The process of the test has looked around already, and goes on as it is. Sessions go to a
    temporary directory of their own: elsewhere other programs remove what is left behind.
    """
    import_path.insert(0, Path(__file__).parent / "without_linux")
    monkeypatch.setenv(PORTABLE_VARIABLE, "1")
    monkeypatch.setenv("CORORORO_TEST_REFUSALS", str(refusals))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory() as place:  # shorter than tmp_path: sockets stand in it
        monkeypatch.setenv("TMPDIR", place)
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield
        assert not refusals.exists(), refusals.read_text()
        assert list(Path(place).glob("*corororo-*")) == []


@pytest.fixture
def start_script(
    tmp_path: Path, import_path: list[Path]
) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Run a program of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, source: str) -> subprocess.Popen[str]:
        script = tmp_path / name
        script.write_text(textwrap.dedent(source))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
            start_new_session=True,  # which holds all processes that it starts
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    left = [pid for process in started for pid in left_of_session(process.pid)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert left == []
