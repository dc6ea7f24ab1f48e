"""Strangers that connect to the control socket of a run: processes of this user and of another."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from zonesim_runs import saved

from zonesim.wire.channel import LENGTH, frame
from zonesim.wire.messages import Failed, LegDone, Ready

NOBODY = 65_534
RUN = ("--zones", "2", "--duration", "600", "--set", "period_ms=40", "--set", "chains.chains=4")

# Imports come first: the second user can read neither the standard library nor this project.
INTRUDER = """
import json, os, socket, sys
uid, session, pids = int(sys.argv[1]), sys.argv[2], [int(pid) for pid in sys.argv[3:]]
names = os.listdir(session)
if uid != os.getuid():
    os.setgroups([]); os.setgid(uid); os.setuid(uid)

def connect(path):
    with socket.socket(socket.AF_UNIX) as near:
        near.settimeout(20)
        near.connect(path)
        try:
            near.shutdown(socket.SHUT_WR)
            near.recv(1)
        except ConnectionError:
            pass

def attempt(act, *arguments):
    try:
        act(*arguments)
    except OSError as error:
        return error.strerror
    return "done"

told = {"list": attempt(os.listdir, session), "connect": attempt(connect, session + "/control")}
for name in names:
    if name != "control":
        told["look at " + name] = attempt(os.stat, session + "/" + name)
        flags = os.O_RDWR | os.O_NONBLOCK
        told["open " + name] = attempt(lambda: os.close(os.open(session + "/" + name, flags)))
told["make a file"] = attempt(lambda: os.close(os.open(session + "/x", os.O_CREAT)))
if uid != 0:
    told["remove it"] = attempt(os.rename, session, session + "-x")
for pid in pids:
    told["signal %d" % pid] = attempt(os.kill, pid, 0)
print(json.dumps(told))
"""


def intrude(uid: int, session: Path, *pids: int) -> dict[str, str]:
    """What a user of this id achieves against a session and its processes."""
    command = [sys.executable, "-c", INTRUDER, str(uid), str(session), *map(str, pids)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def send(path: Path, data: bytes) -> None:
    """Send data to a controller, and wait until it closes the connection."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(20)
        stream.connect(str(path))
        with suppress(BrokenPipeError, ConnectionResetError):
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
            assert stream.recv(1) == b""


def hostile_data() -> list[bytes]:
    chance = random.Random(5)
    return [
        b"",
        *(chance.randbytes(chance.randrange(1, 5_000)) for _ in range(5)),
        LENGTH.pack(2**32 - 1) + bytes(1 << 20),
        *map(frame, (Ready({0: 0}), LegDone(1), Failed("not", "true", (0,)))),
    ]


def test_strangers_of_this_user_and_of_another_change_nothing_in_a_run(start, tmp_path):
    command = start("run", "chains", *RUN, "--out", "run", umask=0)
    command.wait_for_step(tmp_path / "run")
    [session] = command.sessions()
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in session.iterdir()}
    assert session.stat().st_mode & 0o7777 == 0o700
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"control", "calls", "pool.json", "lock"} < set(modes)
    data = hostile_data()
    for each in data:
        send(session / "control", each)
    if os.getuid() == 0:
        act_as_another_user(session, list(command.processes()), len(modes))
    command.signal(signal.SIGINT)

    ended = command.finish()

    assert (ended.code, "Traceback" in ended.error) == (130, False)
    query = "SELECT kind, detail FROM events"
    events = saved(tmp_path / "run", query)
    assert {kind for kind, _ in events} == {"connection-refused", "run-interrupted"}
    refused = [detail for kind, detail in events if kind == "connection-refused"]
    process = f"process {os.getpid()} of user {os.getuid()}"
    mine = f"{process}: not a zone process that this run waits for"
    assert refused[: len(data)] == [mine] * len(data)
    wrong_user = f"expected a process of user 0, found one of user {NOBODY}"
    assert any(wrong_user in each for each in refused) is (os.getuid() == 0)


def act_as_another_user(session: Path, pids: list[int], files: int) -> None:
    """Try everything as a second user, which only root can do."""
    outcome = intrude(NOBODY, session, *pids)
    assert len(outcome) > 2 * (files - 1) + len(pids)
    signals = {f"signal {pid}" for pid in pids}
    owners = signals | {"remove it"}
    assert {outcome[what] for what in owners} == {"Operation not permitted"}
    assert {outcome[what] for what in outcome.keys() - owners} == {"Permission denied"}
    assert set(intrude(0, session, *pids).values()) == {"done"}  # all of it works for the owner
    (session / "control").chmod(0o666)
    session.chmod(0o711)
    assert intrude(NOBODY, session)["connect"] == "done"  # and is refused by the controller
    session.chmod(0o700)
