"""What runs in a process of its own: heard, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import apart_calls
import pytest
from waiting import is_alive, wait_until

from zonesim.bench import apart
from zonesim.bench.apart import run_apart
from zonesim.bench.suite import BenchError

pytestmark = pytest.mark.timeout(60)

STARTER = """
    import sys
    import apart_calls
    from zonesim.bench.apart import run_apart
    run_apart(apart_calls.note_and_hang, int, 60.0, "noted")
"""


def test_only_what_is_yielded_is_heard() -> None:
    assert run_apart(apart_calls.doubled, int, 30.0, 1, 2, 3) == [2, 4, 6]


def test_it_leads_a_session_of_its_own() -> None:
    (session,) = run_apart(apart_calls.own_session, int, 30.0)
    assert session != os.getsid(0)
    assert not is_alive(session)


def test_a_function_that_fails_is_one_line() -> None:
    with pytest.raises(BenchError, match=r"^first_then_fail: KeyError: 'nothing of this kind'$"):
        run_apart(apart_calls.first_then_fail, int, 30.0)


def test_one_that_hangs_is_ended_with_all_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PATIENCE_S", 0.2)
    (child,) = run_apart(apart_calls.first_then_hang, int, 2.0)
    wait_until(lambda: not is_alive(child), "the child of the one that hung has ended")


def test_it_ends_with_a_starter_that_is_killed(
    start_script: Callable[[str, str], subprocess.Popen[str]],
    import_path: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_path.append(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)
    noted = tmp_path / "noted"
    starter = start_script("starter.py", STARTER)
    wait_until(lambda: noted.exists() and noted.read_text(), "it runs")
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)
    wait_until(lambda: not is_alive(int(noted.read_text())), "it has ended", 5)
