"""The death of a fork server."""

from __future__ import annotations

from zonesim.processes.server_watch import ServerWatch


class Servers:
    def __init__(self, pid: int | None = 5) -> None:
        self.pid = pid
        self.state = "S"
        self.watch = ServerWatch(lambda: self.pid, lambda pid: self.state)


def test_one_that_lives_is_not_told_of():
    servers = Servers()
    assert [servers.watch.look() for _ in range(3)] == [None, None, None]


def test_one_that_has_died_is_told_of_once():
    servers = Servers()
    servers.state = "Z"
    assert [servers.watch.look() for _ in range(3)] == [5, None, None]
    servers.pid, servers.state = 6, "S"
    assert [servers.watch.look() for _ in range(2)] == [None, None]
    servers.state = "Z"
    assert servers.watch.look() == 6


def test_one_that_was_replaced_before_anybody_looked_is_told_of():
    servers = Servers()
    servers.pid = 6
    assert [servers.watch.look() for _ in range(2)] == [5, None]


def test_the_first_one_follows_nobody():
    servers = Servers(None)
    assert servers.watch.look() is None
    servers.pid = 5
    assert [servers.watch.look() for _ in range(2)] == [None, None]
