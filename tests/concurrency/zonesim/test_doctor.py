"""`zonesim doctor` beside real pools: a live one keeps its session, a dead one loses it."""

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
from zonesim.doctor import diagnosis
from zonesim.doctor.facts import Place
from zonesim.doctor.trial import measure_tick
from zonesim.scenario.loading import load_scenario
from zonesim.system.sessions import trial_prefix

OWNER = """
import os, sys
import corororo as cr
pool = cr.WorkerPool(0, directory={place!r})
pool.start()
print(pool.address, flush=True)
sys.stdin.read()
"""
QUICKLY = """
import sys
from zonesim.cli.main import main
from zonesim.doctor import diagnosis
diagnosis.TRIAL_S = 0.01
sys.exit(main(["doctor"]))
"""


@pytest.fixture
def place(monkeypatch):
    """A folder for sessions, with a short path."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def left_behind(place: Path) -> Path:
    """The session of a killed owner."""
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


def test_only_the_session_of_a_killed_pool_is_removed(place, monkeypatch, capsys):
    monkeypatch.setattr(diagnosis, "TRIAL_S", 0.05)
    with cr.WorkerPool(0, directory=place) as pool:
        dead = left_behind(place)
        code, before = examined(capsys)
        assert code == 0
        assert dead.exists()  # without --clean nothing is removed
        states = {entry["directory"]: entry["state"] for entry in before["sessions"]}
        assert (states[pool.address], states[str(dead)]) == ("live", "stale")
        assert before["trial"]["ticks"] > 0
        assert before["trial"]["worker_ns"] > 0
        for where in before["facts"]["places"]:
            assert not list(Path(where["path"]).glob(f"{trial_prefix()}*"))
        [finding] = [f for f in before["findings"] if f["what"] == "sessions"]
        assert (finding["verdict"], "--clean" in finding["remedy"]) == ("warning", True)

        code, after = examined(capsys, "--clean")
        assert code == 0
        assert str(dead) in after["removed"]
        assert not dead.exists()
        cr.WorkerPool.attach(pool.address)  # raises unless its owner lives
    assert list(place.iterdir()) == []


def test_a_tick_is_measured_in_the_first_place_with_room(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/none")
    full, roomy = Place("/none", 1 << 30, 0), Place(str(tmp_path), 1 << 30, 1 << 30)
    assert measure_tick(load_scenario("scale"), 0.01, [full, roomy]).ticks > 0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_exit_code_1(place, monkeypatch, capsys):
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    dead = left_behind(place)
    monkeypatch.setattr(diagnosis, "TRIAL_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(_places, "_remove_entry", refuse)  # root may remove everything
        code = main(["doctor", "--clean"])
    assert code == 1
    text = " ".join(capsys.readouterr().out.split())
    assert f"{dead} could not be removed: {dead}/" in text
    assert "Operation not permitted" in text
    assert main(["doctor", "--clean"]) == 0
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("portable")
def test_a_system_without_linux_features_is_examined_too(import_path):
    ended = subprocess.run(
        [sys.executable, "-c", QUICKLY],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    words = " ".join(ended.stdout.split())
    assert "falls back: rings are files on a disk; memory and CPU time of single" in words
    assert "ok session place" in words  # a disk is fine where sessions cannot be in memory
    assert max(map(len, ended.stdout.splitlines())) <= 80
