"""Workers that never come up are a clear error at the start, and leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import pids, wait_until

import corororo as cr

pytestmark = pytest.mark.timeout(60)


def test_workers_that_die_at_their_start_fail_the_pool_with_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_its_process.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(cr.PoolFailed, match=r"workers died before they took a call.*code 7"):
        cr.WorkerPool(2, imports=["ends_its_process"]).start()


def test_an_import_that_fails_is_a_failed_pool() -> None:
    with pytest.raises(cr.PoolFailed, match="exit code 1"):
        cr.WorkerPool(1, imports=["no_such_module_anywhere"]).start()


def test_a_main_script_without_the_guard_fails_and_is_told_of_it(
    start_script: Callable[[str, str], subprocess.Popen[str]],
) -> None:
    script = start_script(
        "unguarded.py",
        """
        import corororo as cr
        with cr.WorkerPool(2) as pool:
            print("never")
        """,
    )
    out, errors = script.communicate(timeout=45)
    assert script.returncode != 0
    assert "never" not in out
    assert "PoolFailed" in errors
    assert 'if __name__ == "__main__":' in errors


def test_a_pool_whose_workers_are_killed_once_they_are_ready_goes_on_for_ever() -> None:
    with cr.WorkerPool(2) as pool:
        for deaths in range(2, 12, 2):
            for pid in pids(pool):
                os.kill(pid, signal.SIGKILL)
            both_are_replaced(pool, deaths)


def both_are_replaced(pool: cr.WorkerPool, restarts: int) -> None:
    def replaced() -> bool:
        now = pool.statistics()
        return now.restarts == restarts and all(worker.ready for worker in now.workers)

    wait_until(replaced, "both workers are replaced")
