"""The busy processes of benchmarks are busy, and end with whoever wanted them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import is_alive, wait_until

from zonesim.bench.crowd import crowd

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]

OWNER = """
    import sys
    from zonesim.bench.crowd import crowd
    if __name__ == "__main__":
        with crowd(2) as busy:
            print(*busy, flush=True)
            sys.stdin.readline()
"""


def cpu_ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def test_a_crowd_of_none_is_no_process() -> None:
    with crowd(0) as busy:
        assert busy == []


@pytest.mark.skipif(sys.platform != "linux", reason="the time that a process took is read there")
def test_a_crowd_takes_time_of_its_own_until_its_block_ends() -> None:
    with crowd(2) as busy:
        assert len({os.getpid(), *busy}) == 3
        for pid in busy:
            before = cpu_ticks(pid)
            wait_until(lambda pid=pid, to=before + 10: cpu_ticks(pid) > to, "it is busy")
    assert not any(map(is_alive, busy))


def test_a_crowd_ends_when_its_block_raises() -> None:
    seen: list[bool] = []

    def look_and_fail(busy: list[int]) -> None:
        seen.extend(map(is_alive, busy))
        raise KeyError(busy[0])

    with pytest.raises(KeyError) as failed, crowd(1) as busy:
        look_and_fail(busy)
    assert seen == [True]
    assert not is_alive(failed.value.args[0])


def test_a_crowd_ends_with_its_killed_owner(start_script: Start) -> None:
    owner = start_script("owner.py", OWNER)
    assert owner.stdout is not None
    busy = [int(word) for word in owner.stdout.readline().split()]
    assert len(busy) == 2
    assert all(map(is_alive, busy))
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)
    wait_until(lambda: not any(map(is_alive, busy)), "the busy processes have ended", 5)
