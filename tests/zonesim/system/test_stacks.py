"""Processes that are asked where they stand: real ones, that loop, sleep, are stopped or gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import trio

from corororo.processes import STACK_CHARACTERS
from zonesim.system import stacks
from zonesim.system.stacks import stack_path, stacks_of

CHILD = """
import signal, sys, threading, time
from pathlib import Path
from corororo.processes import dump_stacks_on_signal

def loop_without_end():
    print("there", flush=True)
    while True:
        pass

def loop_beside_many_threads():
    for _ in range(40):  # as many as trio has at most
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    loop_without_end()

def sleep_too_long():
    print("there", flush=True)
    time.sleep(600)

signal.alarm(120)  # whatever becomes of the tests
dump_stacks_on_signal(Path(sys.argv[1]))
globals()[sys.argv[2]]()
"""
NOBODY = 2**31 - 1  # no system gives a process such a number

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path):
    return stack_path(tmp_path, 3)


@pytest.fixture
def start(path, source_environment) -> Iterator[Start]:
    """Start a process that answers, and have it be inside a function of that name."""
    started = []

    def start(function: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), function],
            env=source_environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def _patient(monkeypatch):
    """Whoever is asked has as long as it takes on a machine that does much else."""
    monkeypatch.setattr(stacks, "ANSWER_S", 60.0)


def stop(process: subprocess.Popen[str]) -> None:
    """Return once it stands still."""
    process.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


@pytest.mark.trio
@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("function", ["loop_without_end", "sleep_too_long"])
async def test_a_process_says_in_which_function_it_is_and_goes_on(start, path, function):
    process = start(function)
    told = await stacks_of(process.pid, path)
    assert f"in {function}" in told
    assert told == told.strip()
    assert process.poll() is None


@pytest.mark.trio
@pytest.mark.usefixtures("_patient")
async def test_a_process_that_is_stopped_says_where_it_stood(start, path):
    process = start("loop_without_end")
    stop(process)
    assert "in loop_without_end" in await stacks_of(process.pid, path)


@pytest.mark.trio
@pytest.mark.usefixtures("_patient")
async def test_where_the_main_thread_stands_is_told_however_many_others_wait(start, path):
    process = start("loop_beside_many_threads")
    told = await stacks_of(process.pid, path)
    assert len(path.read_text()) > STACK_CHARACTERS
    assert "in loop_without_end" in told.split("\n\n")[0]
    assert len(told) <= STACK_CHARACTERS


@pytest.mark.trio
async def test_the_main_thread_comes_first_and_the_others_follow_as_they_came(path, autojump_clock):
    blocks = [f"Thread {number}:\n  File in f{number}\n" for number in range(3)]
    path.write_text("\n".join(blocks))
    third = "Thread 2:\n  File in f2"
    assert (await stacks_of(NOBODY, path)).split("\n\n") == [
        third,
        "Thread 0:\n  File in f0",
        "Thread 1:\n  File in f1",
    ]


@pytest.mark.trio
async def test_a_process_that_has_ended_says_nothing(start, path, autojump_clock):
    process = start("sleep_too_long")
    process.kill()  # and this process, its parent, does not ask after it yet
    assert await stacks_of(process.pid, path) == ""


@pytest.mark.trio
async def test_of_a_process_that_is_gone_what_it_had_said_is_told(path, autojump_clock):
    assert await stacks_of(NOBODY, path) == ""
    path.write_text("Current thread:\n  in its_last_function\n")
    assert await stacks_of(NOBODY, path) == "Current thread:\n  in its_last_function"


@pytest.mark.trio
async def test_nobody_is_waited_for_longer_than_an_answer_may_take(path, autojump_clock):
    with trio.fail_after(2 * stacks.ANSWER_S):
        assert await stacks_of(NOBODY, path) == ""


@pytest.mark.trio
async def test_an_answer_that_is_still_being_written_is_waited_for(path, autojump_clock):
    async def write_slowly() -> None:
        with path.open("w") as file:
            for part in ("in ", "a_function ", "of_many ", "callers"):
                await trio.sleep(0.75 * stacks.POLL_S)
                file.write(part)
                file.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_slowly)
        assert await stacks_of(NOBODY, path) == "in a_function of_many callers"


@pytest.mark.trio
async def test_an_answer_that_never_ends_is_told_as_far_as_it_came(path, autojump_clock):
    async def write_for_ever() -> None:
        with path.open("w") as file:
            while True:
                file.write("and so on ")
                file.flush()
                await trio.sleep(stacks.POLL_S / 2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_for_ever)
        assert (await stacks_of(NOBODY, path)).startswith("and so on and so on")
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_whatever_stands_there_is_text_and_not_too_long_for_a_line_of_events(
    path, autojump_clock
):
    path.write_bytes(b"\xff in f \xc3" + b"x" * 2 * STACK_CHARACTERS)
    told = await stacks_of(NOBODY, path)
    assert told.startswith(r"\xff in f \xc3xxx")
    assert len(told) <= STACK_CHARACTERS
    told.encode()


def test_processes_write_in_different_places(tmp_path):
    assert len({stack_path(tmp_path, host) for host in range(120)}) == 120
    assert stack_path(str(tmp_path), 3) == stack_path(tmp_path, 3)
    assert stack_path(tmp_path, 3).parent == tmp_path
