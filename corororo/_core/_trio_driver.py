"""Drives a pass under trio: waits for replies, and runs the trio functions that Tasks await."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import chain

import trio

from corororo._platform import thread_cpu_ns

from ._calls import do_nothing
from ._stepper import Stepper
from ._traps import TrioRequest

BRIEF_S = 0.001  # the shortest time that poll() counts; replies come sooner

_ENDED = (
    "the tick ended before the trio function that it ran for this Task; give the tick more time, "
    "or start the function in a nursery of your own and pass its result to the Task"
)


class TrioDriver:
    """For one pass of a Stepper."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._transfer = stepper.calls.transfer
        self._requests: dict[TrioRequest, bool] = stepper.trio_requests
        self._scopes: dict[TrioRequest, trio.CancelScope] = {}
        self._wait_scope = trio.CancelScope()

    async def drive(self, waits: Generator[float | None, None, None]) -> None:
        """Run the pass; a checkpoint in any case."""
        if not trio.lowlevel.in_trio_task():
            raise RuntimeError(
                "run_tick() works under trio only, as in trio.run(main); elsewhere, and so under "
                "asyncio, call scheduler.tick(), which blocks"
            )
        self._stepper.trio_drives, self._stepper.wake = True, self._wake
        try:
            await self._drive(waits)
        finally:
            self._stepper.trio_drives, self._stepper.wake = False, do_nothing

    async def _drive(self, waits: Generator[float | None, None, None]) -> None:
        waited = briefly = False
        for timeout_s in waits:
            briefly = not briefly and self._waits_briefly(timeout_s)
            if briefly:
                continue
            waited = True
            if self._requests:
                await self._drive_with_requests(waits, timeout_s)
                break
            await self._wait(timeout_s)
        if not waited:
            await trio.lowlevel.checkpoint()

    async def _drive_with_requests(
        self, waits: Generator[float | None, None, None], timeout_s: float | None
    ) -> None:
        """The rest of a pass in which a Task has awaited a trio function."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                for longest_s in chain([timeout_s], waits):
                    self._start_requests(nursery)
                    await self._wait(longest_s)
            except Exception as error:  # of the pass: the nursery would make a group of it
                failure = error
            nursery.cancel_scope.cancel()  # functions for which no Task waits any more
        if failure is not None:
            raise failure

    def _start_requests(self, nursery: trio.Nursery) -> None:
        for request, begun in list(self._requests.items()):
            if not begun:
                self._requests[request] = True
                nursery.start_soon(self._run, request)
        for request in [request for request in self._scopes if request.task is None]:
            self._scopes[request].cancel()

    async def _run(self, request: TrioRequest) -> None:
        with trio.CancelScope() as scope:
            self._scopes[request] = scope
            value = None
            error: BaseException | None = RuntimeError(_ENDED)  # unless it ends by itself
            try:
                value, error = await request.function(*request.args), None
            except Exception as raised:
                error = raised
            finally:
                del self._scopes[request]
                request.answer(self._stepper, value, error)
                self._wake()

    def _wake(self) -> None:
        self._wait_scope.cancel()

    def _waits_briefly(self, timeout_s: float | None) -> bool:
        """Wait for a reply here and now, where that takes less than letting others go first.

        Others evict our Tasks from the caches: a round of 100 zones took twice as long.
        """
        likely_s = self._transfer.likely_wait_s()
        if likely_s > BRIEF_S / 4 or self._requests or self._transfer.fileno() < 0:
            return False
        self._transfer.wait(BRIEF_S if timeout_s is None else min(timeout_s, BRIEF_S))
        return True

    async def _wait(self, timeout_s: float | None) -> None:
        began_ns = thread_cpu_ns()
        with trio.move_on_after(math.inf if timeout_s is None else timeout_s) as self._wait_scope:
            if self._transfer.fileno() < 0:
                await trio.sleep(math.inf if self._requests else 0)
            else:
                await trio.lowlevel.wait_readable(self._transfer.fileno())
        self._stepper.others_cpu_ns += thread_cpu_ns() - began_ns
