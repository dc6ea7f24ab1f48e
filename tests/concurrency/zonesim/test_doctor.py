"""The doctor beside real owners: those that live keep everything, those that died lose it all."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from zonesim_runs import CHECKOUT

import corororo as cr
from corororo._ring import _places
from zonesim.cli.main import main
from zonesim.doctor import examine
from zonesim.doctor.trial import measure_tick
from zonesim.system.sessions import trial_prefix

OWNER = """
import os, sys
import corororo as cr
pool = cr.WorkerPool(0, directory={place!r})
pool.start()
print(pool.address, flush=True)
sys.stdin.read()
"""
BY_ITSELF = """
import json, os, sys
from pathlib import Path
from zonesim.system import sessions
base = Path(os.environ["XDG_RUNTIME_DIR"])
name = base / f"corororo-65534-{os.getpid()}-01234567"
name.mkdir(mode=0o700)
(name / "lock").touch()
(name / "of-root").mkdir(mode=0o700)
(name / "of-root" / "file").touch()
os.chown(name, 65534, 65534)
os.chown(name / "lock", 65534, 65534)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
removed, kept = sessions.clean_up()
mine = [entry.reason for entry in kept if entry.directory == str(name)]
states = [s.state for s in sessions.describe_sessions() if s.directory == str(name)]
print(json.dumps([str(name) in removed, mine, states]))
"""
QUICKLY = """
import sys
from zonesim.cli.main import main
from zonesim.doctor import examine
examine.TRIAL_S = 0.01
sys.exit(main(["doctor"]))
"""


@pytest.fixture
def place(monkeypatch):
    """A folder where sessions may stand, and that short names lead to."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def left_behind(place: Path) -> Path:
    """What an owner leaves behind that was killed."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(place=str(place))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    address = owner.stdout.readline().strip()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    return Path(address)


def examined(capsys, *arguments: str) -> tuple[int, dict]:
    code = main(["doctor", "--json", *arguments])
    output, error = capsys.readouterr()
    assert error == ""
    return code, json.loads(output)


def test_a_live_pool_goes_on_and_what_a_killed_one_left_goes(place, monkeypatch, capsys):
    monkeypatch.setattr(examine, "TRIAL_S", 0.05)
    with cr.WorkerPool(0, directory=place) as pool:
        dead = left_behind(place)
        code, before = examined(capsys)
        assert code == 0
        assert dead.exists()  # a look changes nothing
        states = {entry["directory"]: entry["state"] for entry in before["sessions"]}
        assert (states[pool.address], states[str(dead)]) == ("live", "stale")
        assert before["trial"]["ticks"] > 0
        [told] = [f for f in before["findings"] if f["what"] == "sessions"]
        assert (told["verdict"], "--clean" in told["remedy"]) == ("warning", True)

        code, after = examined(capsys, "--clean")
        assert code == 0
        assert str(dead) in after["removed"]
        assert not dead.exists()
        cr.WorkerPool.attach(pool.address)  # raises unless its owner lives
    assert list(place.iterdir()) == []


def test_what_cannot_be_removed_is_exit_code_1(place, monkeypatch, capsys):
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    dead = left_behind(place)
    monkeypatch.setattr(examine, "TRIAL_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(_places, "_remove_entry", refuse)  # for root nothing is in the way
        code = main(["doctor", "--clean"])
    assert code == 1
    text = " ".join(capsys.readouterr().out.split())
    assert f"{dead} could not be removed: {dead}/" in text
    assert "Operation not permitted" in text
    assert main(["doctor", "--clean"]) == 0
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can leave files to another user")
def test_what_only_another_user_may_remove_stays_and_stays_stale():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "XDG_RUNTIME_DIR": folder}
        told = subprocess.run(
            [sys.executable, "-c", BY_ITSELF],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    was_removed, reasons, states = json.loads(told.stdout)
    assert not was_removed
    assert "Permission denied" in reasons[0]
    assert states == ["stale"]


def test_a_tick_of_a_zone_is_measured_with_a_worker_that_is_gone_afterwards():
    found = measure_tick(0.3)
    assert found.ticks > 0
    assert found.zone_ns > 0
    assert found.worker_ns > 0
    assert not list(Path(tempfile.gettempdir()).glob(f"{trial_prefix()}*"))


@pytest.mark.usefixtures("portable")
def test_a_system_without_anything_of_linux_is_examined_too(import_path):
    told = subprocess.run(
        [sys.executable, "-c", QUICKLY],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (0, "")
    words = " ".join(told.stdout.split())
    assert "falls back: rings are files on a disk; memory and CPU time of single" in words
    assert "ok session place" in words  # a disk is no fault where there is nothing else
    assert max(map(len, told.stdout.splitlines())) <= 80
