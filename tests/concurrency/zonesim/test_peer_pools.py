"""Every peer gives the answers that the library gives, and its processes end when it is closed."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from waiting import wait_until

from zonesim.bench.chains import at_once, send_chains
from zonesim.bench.core import CHAINS
from zonesim.bench.peer_pools.by_hand import BY_HAND, HandPool
from zonesim.bench.peer_pools.kinds import KINDS, companies, missing
from zonesim.bench.peer_pools.ours import OURS
from zonesim.bench.peer_pools.peer import Kind, Outcomes, Peer
from zonesim.bench.peer_pools.pipes import Echo, PipeEnd
from zonesim.bench.plain_work import Path, plain_number, plain_path
from zonesim.system.operating_system import read_proc, session_processes

pytestmark = pytest.mark.timeout(60)

CALLS = list(range(20))
PATHS = [plain_path(argument) for argument in CALLS]
SERVERS = ("resource_tracker", "forkserver")


def processes() -> set[int]:
    """Of this session, without servers: they stay, for whoever starts something next."""
    found = session_processes(os.getsid(0)) or {}
    started = {pid for pid, line in found.items() if not any(name in line for name in SERVERS)}
    return {pid for pid in started if not is_of_tests_beside_these(pid)}


def is_of_tests_beside_these(pid: int) -> bool:
    """Whether a process descends from another child of our parent, as with ``pytest -n 2``."""
    while parent := parent_of(pid):
        if parent == os.getppid():
            return pid != os.getpid()
        pid = parent
    return False


def parent_of(pid: int) -> int:
    """Its process id; 0 where there is none, or nobody can tell."""
    words = read_proc(str(pid), "stat").rpartition(")")[2].split()
    return int(words[1]) if words else 0


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    if not request.param.is_there:
        pytest.skip(f"{request.param.name} is not installed")
    return request.param


@pytest.mark.parametrize("kind", [OURS, *KINDS], indirect=True, ids=lambda kind: kind.name)
def test_a_peer_gives_every_result_in_order_and_leaves_no_process(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest listens to this logger; loky's processes then look for a listener of their own.
    monkeypatch.setattr(multiprocessing.get_logger(), "handlers", [])
    before = processes()
    with kind.open(2) as peer:
        assert peer.run(partial(peer.call, plain_number, 7)) == 7
        found = peer.run(partial(peer.batched, plain_path, CALLS, 7))
        # Where nothing but lists travels, a pair comes back as one.
        assert [[tuple(point) for point in path] for path in found] == PATHS
        assert list(peer.run(partial(peer.each, plain_number, CALLS))) == CALLS
        tried = peer.run(partial(peer.attempt, plain_number, CALLS, 30.0))
        assert {call.what for call in tried.calls} == {"came back"}
    wait_until(lambda: processes() <= before, "its processes have ended")


def test_peers_that_are_busy_without_work_are_measured_alone() -> None:
    first, *others = companies(2)
    assert not any(kind.apart for kind in first)
    assert all(len(kinds) == 1 and kinds[0].apart for kinds in others)


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = BY_HAND._replace(name="Nobody", library="no_such_library")
    monkeypatch.setattr("zonesim.bench.peer_pools.kinds.KINDS", (BY_HAND, absent))
    assert list(missing(1)) == ["Nobody is not installed: its rows are skipped"]
    assert list(companies(1)) == [[BY_HAND]]


def test_a_peer_is_left_out_where_it_would_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = BY_HAND._replace(name="pair", fewest_workers=2)
    monkeypatch.setattr("zonesim.bench.peer_pools.kinds.KINDS", (BY_HAND, pair))
    assert list(companies(1)) == [[BY_HAND]]
    assert list(missing(1)) == ["pair needs 2 workers: its rows are skipped"]
    assert list(companies(2)) == [[BY_HAND, pair]]


def test_a_peer_that_does_not_work_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refuse(workers: int) -> Iterator[Peer]:
        raise OSError("no room\nat all")
        yield

    broken = BY_HAND._replace(name="broken", opener=refuse)
    monkeypatch.setattr("zonesim.bench.peer_pools.kinds.KINDS", (broken, BY_HAND))
    assert list(missing(1)) == [
        "broken does not work here (OSError: no room): its rows are skipped"
    ]
    assert list(companies(1)) == [[BY_HAND]]


# -- what comes of calls


def test_a_call_of_which_nothing_is_heard_never_came_back() -> None:
    found = Outcomes(3)
    found.note(1)
    found.note(2, KeyError("gone"))
    found.note(2)
    assert [call.what for call in found.calls] == ["never came back", "came back", "failed"]
    assert found.calls[2].error == "KeyError"
    found.note_rest()
    assert found.calls[0].what == "came back"
    found.wait(0)


# -- pipes by hand


@pytest.fixture
def two_ends():
    (a_reader, b_writer), (b_reader, a_writer) = os.pipe(), os.pipe()
    yield PipeEnd(a_reader, a_writer), PipeEnd(b_reader, b_writer)
    for descriptor in (a_reader, b_writer, b_reader, a_writer):
        os.close(descriptor)


@pytest.mark.parametrize("size", [0, 1, 65_531, 65_532, 65_533, 1_000_000])
def test_a_message_of_any_size_arrives_as_it_was(two_ends, size: int) -> None:
    ours, theirs = two_ends
    message = os.urandom(size)
    sending = threading.Thread(target=ours.send, args=(message,))
    sending.start()
    received = bytes(theirs.receive())
    sending.join()
    assert received == message


def test_an_end_that_is_gone_is_an_error_and_no_empty_message() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(EOFError):
        PipeEnd(reader, -1).receive()
    os.close(reader)


def test_results_by_hand_are_in_order_whatever_the_chunk() -> None:
    with HandPool(2, plain_path, Path) as pool:
        assert [pool.map(CALLS, chunk) == PATHS for chunk in (1, 3, 7, 20)] == [True] * 4


def test_more_calls_than_a_pipe_holds_do_not_block() -> None:
    arguments = list(range(100_000))
    with HandPool(2, plain_number, int) as pool:
        assert pool.map(arguments, 50_000) == arguments
        assert send_chains(lambda chains: pool.map(chains, 198)) == list(range(CHAINS))
        assert send_chains(at_once) == list(range(CHAINS))


def test_what_is_echoed_comes_back() -> None:
    with Echo() as echo:
        assert [echo.call(), echo.call()] == [Echo.MESSAGE, Echo.MESSAGE]
