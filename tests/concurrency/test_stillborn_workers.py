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

StartScript = Callable[[str, str], subprocess.Popen[str]]


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
    start_script: StartScript,
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


# -- Ctrl-C while processes are born

INTERRUPTED_AT_BIRTH = """
    import os, signal, sys, time
    import corororo as cr
    from corororo.processes import forkserver

    if __name__ == "__mp_main__":  # as a child of the fork server imports its parent's program
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for_ctrl_c():
        time.sleep(30)
"""


def ended(start_script: StartScript, program: str) -> tuple[int, str, str]:
    """Its exit code, and what it wrote to standard output and standard error."""
    script = start_script("interrupted.py", program)
    out, errors = script.communicate(timeout=45)
    return script.returncode, out, errors


def test_a_worker_does_not_hear_ctrl_c_not_even_before_its_first_line(
    start_script: StartScript,
) -> None:
    program = f"""{INTERRUPTED_AT_BIRTH}
    if __name__ == "__main__":
        with cr.WorkerPool(2) as pool:
            now = pool.statistics()
            print(now.restarts, [worker.ready for worker in now.workers])
    """
    assert ended(start_script, program) == (0, "0 [True, True]\n", "")


def test_ctrl_c_ends_other_children_of_the_server_once_their_work_begins(
    start_script: StartScript,
) -> None:
    program = f"""{INTERRUPTED_AT_BIRTH}
    if __name__ == "__main__":
        child = forkserver().Process(target=wait_for_ctrl_c)
        child.start()
        child.join(20)
        print(child.exitcode)
    """
    code, out, errors = ended(start_script, program)
    assert (code, out) == (0, "1\n")
    assert "KeyboardInterrupt" in errors


UNBLOCKED_AT_LAST = """
    import os, signal, sys, time
    import corororo as cr
    from corororo.processes import forkserver

    def is_blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    FORKED = "not forked"
    if __name__ == "__mp_main__":
        WAS_BLOCKED = is_blocked()
        if sys.argv[1:] == ["orphan"]:
            server = os.getppid()
            os.kill(server, signal.SIGKILL)
            while os.getppid() == server:
                time.sleep(0.01)
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, b"blocked" if is_blocked() else b"heard")
            os._exit(0)
        FORKED = os.read(reader, 99).decode()
        os.wait()

    def tell():
        print(WAS_BLOCKED, FORKED, is_blocked(), flush=True)
"""


@pytest.mark.parametrize("life", ["usual", "orphan"])
def test_other_children_of_the_server_hear_ctrl_c_whatever_became_of_it(
    start_script: StartScript, life: str
) -> None:
    program = f"""{UNBLOCKED_AT_LAST}
    if __name__ == "__main__":
        sys.argv = [sys.argv[0], {life!r}]
        child = forkserver().Process(target=tell)
        child.start()
        child.join(20)
    """
    assert ended(start_script, program) == (0, "True heard False\n", "")
