"""A run that goes on while others knock at it: strangers of this user, and another user."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec
import pytest
import trio
from zonesim_runs import saved

import corororo as cr
from zonesim.controller.dispatcher import FleetPlan
from zonesim.controller.fleet import Fleet
from zonesim.processes.preload import PRELOAD
from zonesim.system.sessions import CONTROL
from zonesim.wire.channel import HEAD, VERSION, Channel, ControlError, frame
from zonesim.wire.listener import UNKNOWN_MAX
from zonesim.wire.messages import FromController, Hello, Leg, Ready
from zonesim.workloads.base import ZoneSpec

NOBODY = 65_534
RUN = ("--zones", "2", "--duration", "600", "--set", "period_ms=40", "--set", "chains.chains=4")
SPEC = ZoneSpec(zone=0, seed=1, period_s=0.001, workload="chains", graph="", chains=2)
ROOT_ALONE = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as a second user")

# All is imported before: the second user may read neither Python's library nor this project.
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
LISTENER = """
import os, socket, sys
os.umask(0)
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[2])
    listening.listen()
    print("ready", flush=True)
    connection, _ = listening.accept()
    connection.recv(1)
"""


def intrude(uid: int, session: Path, *pids: int) -> dict[str, str]:
    """What a user of this id achieves against a session and its processes."""
    command = [sys.executable, "-c", INTRUDER, str(uid), str(session), *map(str, pids)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def speak(path: Path, said: bytes) -> None:
    """Say something to a controller, until it closes the connection."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(20)
        stream.connect(str(path))
        with suppress(BrokenPipeError, ConnectionResetError):
            stream.sendall(said)
            stream.shutdown(socket.SHUT_WR)
            assert stream.recv(1) == b""


def speak_nonsense(path: Path) -> int:
    """Say all kinds of things that no zone process says, one connection each; how many."""
    chance, mine = random.Random(5), frame(Hello(0, os.getpid()))
    nonsense = [
        *(chance.randbytes(chance.randrange(1, 5_000)) for _ in range(20)),
        HEAD.pack(VERSION, 0, 2**32 - 1),
        HEAD.pack(VERSION, 4, 1 << 20) + bytes(1 << 20),
        HEAD.pack(VERSION + 1, 0, 10),
        *(mine[:kept] for kept in range(len(mine) + 1)),
        frame(Hello(0, os.getpid() + 1)),
        frame(Ready(1)),
    ]
    for said in nonsense:
        speak(path, said)
    return len(nonsense)


async def run_ticks(fleet: Fleet, step: int) -> None:
    now_ns = time.monotonic_ns()
    until: dict[int, int | None] = dict.fromkeys((0, 1), 10 * step)
    await fleet.order(Leg(step, now_ns, now_ns, 1_000_000, until, None, realtime=False))
    await fleet.until_done()


@pytest.mark.trio
async def test_zone_processes_go_on_whatever_strangers_say_to_their_controller():
    rows, refused = [], []
    with cr.WorkerPool(0, preload=PRELOAD) as pool, trio.fail_after(50):
        path = Path(pool.address) / CONTROL
        plan = FleetPlan(path, pool.address, inline=True)
        fleet = Fleet(plan, rows.extend, lambda *event, **_: refused.append(event))
        async with trio.open_nursery() as nursery:
            await nursery.start(fleet.serve)
            await fleet.grow([SPEC, msgspec.structs.replace(SPEC, zone=1)], 1)
            await run_ticks(fleet, 1)
            said = await trio.to_thread.run_sync(speak_nonsense, path)
            assert len(refused) == said
            with ExitStack() as crowd:
                for _ in range(200):
                    stranger = crowd.enter_context(trio.socket.socket(socket.AF_UNIX))
                    await stranger.connect(str(path))
                await fleet.grow([msgspec.structs.replace(SPEC, zone=2)], 1)
                await run_ticks(fleet, 2)
            assert len(refused) >= said + 200 - UNKNOWN_MAX
            await fleet.stop()
            nursery.cancel_scope.cancel()
    assert sorted(row.tick for row in rows if row.zone == 0) == list(range(20))
    assert {kind for kind, _ in refused} == {"connection-refused"}


def test_a_run_belongs_to_one_user_and_notes_whom_it_refused(start, tmp_path):
    command = start("run", "chains", *RUN, "--out", "run", umask=0)
    command.wait_for_step(tmp_path / "run")
    [session] = command.sessions()
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in session.iterdir()}
    assert session.stat().st_mode & 0o7777 == 0o700
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"control", "calls", "pool.json", "lock"} < set(modes)
    for _ in range(3):
        speak(session / "control", b"hello")
    if os.getuid() == 0:
        be_another_user(session, list(command.processes()), len(modes))
    command.signal(signal.SIGINT)

    ended = command.finish()
    assert (ended.code, "Traceback" in ended.error) == (130, False)
    query = "SELECT detail FROM events WHERE kind = 'connection-refused'"
    me, *others = [detail for (detail,) in saved(tmp_path / "run", query)]
    subject = f"process {os.getpid()} of user {os.getuid()}"
    assert me == f"{subject}: it ended after 5 of 6 bytes"
    assert f"connection-refused: {me}\n" in ended.error
    wrong_user = f"expected a process of user 0, found one of user {NOBODY}"
    assert others[:2] == [me, me]
    assert any(wrong_user in each for each in others) is (os.getuid() == 0)


def be_another_user(session: Path, pids: list[int], files: int) -> None:
    """Try everything as a second user; root alone can."""
    told = intrude(NOBODY, session, *pids)
    assert len(told) > 2 * (files - 1) + len(pids)
    signals = {f"signal {pid}" for pid in pids}
    assert {told[what] for what in (*signals, "remove it")} == {"Operation not permitted"}
    assert {told[what] for what in told.keys() - signals - {"remove it"}} == {"Permission denied"}
    # All of it works for the user whose run it is: what was refused was refused to a stranger.
    assert set(intrude(0, session, *pids).values()) == {"done"}
    # Let in as far as the socket, a second user meets a controller that knows who comes.
    (session / "control").chmod(0o666)
    session.chmod(0o711)
    assert intrude(NOBODY, session)["connect"] == "done"
    session.chmod(0o700)


@ROOT_ALONE
def test_a_zone_process_talks_to_no_controller_of_another_user(tmp_path):
    folder = Path(f"/tmp/zonesim-test-{os.getpid()}")
    folder.mkdir()
    folder.chmod(0o777)
    command = [sys.executable, "-c", LISTENER, str(NOBODY), str(folder / "control")]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    async def connect() -> None:
        async with await trio.open_unix_socket(str(folder / "control")) as stream:
            Channel(stream, FromController)

    try:
        assert listener.stdout.readline() == "ready\n"
        with pytest.raises(ControlError, match=f"of user 0, found one of user {NOBODY}"):
            trio.run(connect)
    finally:
        listener.kill()
        listener.communicate()
        (folder / "control").unlink(missing_ok=True)
        folder.rmdir()
