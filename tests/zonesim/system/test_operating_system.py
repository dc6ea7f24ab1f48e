"""The machine and its system, with and without what only some systems have."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import struct
import sys

import pytest

from zonesim.system import operating_system as system
from zonesim.system.text import encodable, event_text, process_text, write_whole

XUCRED = struct.Struct("=IIhxx16I")  # as in <sys/ucred.h> of macOS


class MacSocket:
    """A connected Unix socket of macOS, whose peer is ``pid`` and belongs to ``uid``."""

    def __init__(self, pid: int, uid: int) -> None:
        self._options = {
            (0, 1): XUCRED.pack(0, uid, 1, 20, *[0] * 15),  # SOL_LOCAL, LOCAL_PEERCRED
            (0, 2): struct.pack("=i", pid),  # SOL_LOCAL, LOCAL_PEERPID
        }

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        return self._options[level, option][:length]


@pytest.fixture
def proc(monkeypatch, tmp_path):
    """A /proc with one process, 17."""
    monkeypatch.setattr(system, "HAS_PROC", True)
    monkeypatch.setattr(system, "PROC", tmp_path)
    (tmp_path / "17").mkdir()
    return tmp_path


def test_a_missing_file_of_proc_reads_as_nothing(monkeypatch, proc):
    (proc / "17" / "stat").write_text("17 (sh) S")
    assert system.read_proc("17", "stat") == "17 (sh) S"
    assert system.read_proc("18", "stat") == ""
    monkeypatch.setattr(system, "HAS_PROC", False)
    assert system.read_proc("17", "stat") == ""


@pytest.mark.parametrize(
    ("rollup", "expected"),
    [
        ("5581c000-7ffd [rollup]\nRss:   9000 kB\nPss:   5000 kB\nPss_Anon: 40 kB\n", 5.12),
        ("Rss: 9000 kB\n", None),
        (None, None),
    ],
)
def test_proportional_memory_is_in_millions_of_bytes_or_unknown(proc, rollup, expected):
    if rollup is not None:
        (proc / "17" / "smaps_rollup").write_text(rollup)
    found = system.pss_mb(17)
    assert found == (None if expected is None else pytest.approx(expected))


def test_cpu_shares_are_those_of_the_usable_cpus_between_two_looks(monkeypatch, proc):
    monkeypatch.setattr(system, "HAS_AFFINITY", True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2}, raising=False)
    busy_cpu = "cpu0 99 0 0 0 0 0 0 0 0 0\n"
    looks = [system.cpu_times()]
    for used, left in [(0, 0), (30, 100)]:
        rows = [f"cpu{n} {used} 0 10 {left} 50 0 0 {used} 999 0\n" for n in (1, 2)]
        (proc / "stat").write_text("".join([busy_cpu, *rows, "intr 17\n"]))
        looks.append(system.cpu_times())
    assert system.cpu_shares(*looks[1:]) == (100 / 160, 30 / 160)
    assert system.cpu_shares(*looks[:2]) == (None, None)


@pytest.mark.parametrize("has_proc", [True, False])
def test_the_machine_is_described_without_the_names_of_host_and_user(monkeypatch, has_proc):
    if not has_proc:
        monkeypatch.setattr(system, "HAS_PROC", False)
    found = system.describe_machine()
    assert found["cpu"]
    assert found["memory_mb"] > 0
    assert 1 <= found["cpus_usable"] <= found["cpus"]
    described = " ".join(map(str, found.values()))
    assert platform.node() not in described.split()
    assert getpass.getuser() not in described
    assert system.own_memory_mb() > 0


@pytest.mark.parametrize("uid", [0, 501, 1_843_629_394])
def test_the_peer_of_a_socket_of_macos(monkeypatch, uid):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.peer_of(MacSocket(4711, uid)) == (4711, uid)


def test_the_peer_of_a_socket_here():
    near, far = socket.socketpair()
    with near, far:
        assert system.peer_of(near) == (os.getpid(), os.getuid())


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (((),), ""),
        (((3,),), "zone 3"),
        (((3, 4, 5), None, 47), "zones 3-5 (pid 47)"),
        (((), 2, 47), "worker 2 (pid 47)"),
        (((), None, 47), "pid 47"),
    ],
)
def test_a_process_is_named_by_its_ids(ids, expected):
    assert process_text(*ids) == expected


def test_an_event_is_one_line():
    assert event_text("zone-died", "zone 3", "by\nsignal") == "zone-died: zone 3, by"
    assert encodable("a \udcff") == "a \\udcff"


def test_a_file_is_replaced_whole_with_the_given_mode(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"first")
    write_whole(path, b"second", mode=0o600)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
