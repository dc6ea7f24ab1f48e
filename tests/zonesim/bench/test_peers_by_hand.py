"""The peers of the transfer give the answers that the library gives, and end when told to."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest
import trio

import corororo as cr
from zonesim.bench.chains import at_once, plain_task, send_chains, tick_zones
from zonesim.bench.core import CHAINS
from zonesim.bench.empty_work import Path, first, number, path, plain_number, plain_path
from zonesim.bench.peers_by_hand import Echo, HandPool, PipeEnd
from zonesim.bench.peers_pooled import open_executor, submit_each

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def _nobody_is_left_behind():
    yield
    assert multiprocessing.active_children() == []


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


@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
def test_results_by_hand_are_in_order_whatever_the_chunk(chunk: int) -> None:
    arguments = list(range(20))
    with HandPool(2, plain_path, Path) as pool:
        assert pool.map(arguments, chunk) == [plain_path(argument) for argument in arguments]
        assert pool.call(4) == plain_path(4)


def test_more_calls_than_a_pipe_holds_do_not_block() -> None:
    arguments = list(range(100_000))
    with HandPool(2, plain_number, int) as pool:
        assert pool.map(arguments, 50_000) == arguments


def test_what_is_echoed_comes_back() -> None:
    with Echo() as echo:
        assert [echo.call(), echo.call()] == [Echo.MESSAGE, Echo.MESSAGE]


def test_the_standard_pool_gives_the_same_results() -> None:
    with open_executor(2) as executor:
        assert submit_each(executor, plain_number) == list(range(CHAINS))


def test_a_loop_of_send_gives_what_the_scheduler_gives() -> None:
    with cr.Scheduler() as scheduler:
        numbers = [scheduler.run(first(number, chain)) for chain in range(CHAINS)]
        paths = [scheduler.run(first(path, chain)) for chain in range(CHAINS)]
        plain = [scheduler.run(first(plain_task, chain)) for chain in range(CHAINS)]
    assert send_chains(at_once) == numbers == plain
    assert send_chains(lambda chains: [plain_path(chain) for chain in chains]) == paths


def test_a_round_of_zones_runs_every_chain_of_every_zone() -> None:
    zones = [cr.Scheduler() for _ in range(3)]
    trio.run(tick_zones, zones)
    assert [zone.statistics().async_tasks_taken for zone in zones] == [CHAINS] * 3
    for zone in zones:
        zone.close()
