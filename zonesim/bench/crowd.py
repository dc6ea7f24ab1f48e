"""A crowd of processes that want a core: made, and noticed. Knows no workers and no zones."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from time import monotonic
from typing import Self

from zonesim.system.operating_system import read_proc

START_S = 30.0
SPINS = 10_000  # between two looks whether the owner is still there: some hundred microseconds


class Waiting:
    """Notes how long processes of this machine, whoever's they are, waited for a core.

    ``share`` is the part of the time, of all its blocks, in which at least one of them did; None
    where the system does not tell. Linux calls it pressure stall information.
    """

    def __init__(self) -> None:
        self._took_s = self._waited_s = 0.0

    @property
    def share(self) -> float | None:
        """Of the blocks that have ended."""
        return self._waited_s / self._took_s if self._took_s else None

    def __enter__(self) -> Self:
        self._began_s, self._before_s = monotonic(), _waited_s()
        return self

    def __exit__(self, *_: object) -> None:
        after_s = _waited_s()
        if self._before_s is not None and after_s is not None:
            self._waited_s += after_s - self._before_s
            self._took_s += monotonic() - self._began_s


@contextmanager
def crowd(processes: int) -> Iterator[list[int]]:
    """Keep so many processes busy, and tell their ids; they end with their owner, however."""
    with ExitStack() as stack:
        ids = [stack.enter_context(_busy_process()) for _ in range(processes)]
        yield ids


@contextmanager
def _busy_process() -> Iterator[int]:
    context = multiprocessing.get_context("forkserver")
    ours, its = context.Pipe()
    process = context.Process(target=_burn, args=(its,), daemon=True)
    process.start()
    its.close()  # so that the end of the process ends the pipe, too
    try:
        if not ours.poll(START_S):
            raise TimeoutError(f"a busy process has not started within {START_S} s")
        yield ours.recv()
    finally:
        ours.close()  # which is what it looks for
        process.join()


def _burn(owner: Connection) -> None:
    owner.send(multiprocessing.current_process().pid)
    while not owner.poll():
        for _ in range(SPINS):
            pass


def _waited_s() -> float | None:
    """Since the start of the machine."""
    words = read_proc("pressure", "cpu").split()
    if not words:  # not Linux, or built without it
        return None
    total = next(word for word in words if word.startswith("total="))  # of "some": the first line
    return int(total.removeprefix("total=")) / 1e6
