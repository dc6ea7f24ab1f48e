"""What the system is asked, with and without what only some systems have."""

from __future__ import annotations

import os
import socket
import struct
import sys

import pytest

from zonesim.system import operating_system as system

XUCRED = struct.Struct("=IIhxx16I")  # as <sys/ucred.h> of macOS has it


class MacSocket:
    """A connected Unix socket as macOS has it, whose peer is ``pid`` and belongs to ``uid``."""

    def __init__(self, pid: int, uid: int) -> None:
        self._options = {
            (0, 1): XUCRED.pack(0, uid, 1, 20, *[0] * 15),  # SOL_LOCAL, LOCAL_PEERCRED
            (0, 2): struct.pack("=i", pid),  # SOL_LOCAL, LOCAL_PEERPID
        }

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        return self._options[level, option][:length]


def test_a_file_that_proc_does_not_have_reads_as_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "HAS_PROC", True)
    monkeypatch.setattr(system, "PROC", tmp_path)
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "stat").write_text("17 (sh) S")
    assert system.read_proc("17", "stat") == "17 (sh) S"
    assert system.read_proc("17", "maps") == ""
    assert system.read_proc("18", "stat") == ""
    monkeypatch.setattr(system, "HAS_PROC", False)
    assert system.read_proc("17", "stat") == ""


@pytest.mark.parametrize("uid", [0, 501, 1_843_629_394])
def test_macos_tells_who_is_at_the_other_end(monkeypatch, uid):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.peer_of(MacSocket(4711, uid)) == (4711, uid)


def test_who_is_at_the_other_end_is_told():
    near, far = socket.socketpair()
    with near, far:
        assert system.peer_of(near) == (os.getpid(), os.getuid())
