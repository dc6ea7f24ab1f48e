"""What becomes of calls whose worker is killed: one peer, in the process that this runs in."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from .peer_pools.kinds import KINDS
from .peer_pools.ours import OURS
from .peer_pools.peer import Kind, Outcomes, Peer
from .struck_work import FOLDER_VARIABLE, POISON, VICTIM, VICTIM_FILE, runs_of, struck

CALLS = 8
PLACE = 3  # of the call that is struck
POLL_S = 0.002
BY_NAME: dict[str, Kind] = {kind.name: kind for kind in (OURS, *KINDS)}


class Struck(msgspec.Struct, frozen=True):
    """What became of the calls, and of the pool."""

    came_back: int
    failed: int
    never_came_back: int
    errors: list[str]  # what kinds there were
    run_again: int  # of those that came back
    known_after_s: float  # until the last came back or failed; the timeout if one never did
    pool: str  # "" where it can be used afterwards, else why not

    def told(self) -> str:
        """In plain words."""
        parts = [
            f"{count} of {CALLS} {what}"
            for count, what in (
                (self.came_back, "came back"),
                (self.failed, f"failed ({', '.join(self.errors)})"),
                (self.never_came_back, "never came back"),
            )
            if count
        ]
        if self.run_again:
            parts[0] += f", {self.run_again} of them run again"
        return "; ".join([*parts, f"the pool {self.pool or 'goes on'}"])


def strike(name: str, workers: int, timeout_s: float) -> Iterator[Struck]:
    """Kill a worker in the midst of a call; then have a call kill every worker that it meets."""
    with tempfile.TemporaryDirectory() as place:
        os.environ[FOLDER_VARIABLE] = place  # from here on: what is started later inherits it
        for first, struck_call in ((0, VICTIM), (100, POISON)):
            arguments = list(range(first, first + CALLS))
            arguments[PLACE] = struck_call
            with BY_NAME[name].open(workers) as peer:
                _try(peer, range(-workers, 0), timeout_s)  # every worker has started
                if struck_call == VICTIM:
                    kill = partial(_kill_victim, Path(place, VICTIM_FILE), timeout_s)
                    threading.Thread(target=kill, daemon=True).start()
                found = _try(peer, arguments, timeout_s)
                later = _try(peer, range(first + CALLS, first + 2 * CALLS), timeout_s)
                # Before the peer is closed: some never get over what has happened.
                yield _sum_up(found, arguments, Path(place), _state_after(later), timeout_s)


def _try(peer: Peer, arguments: Sequence[int], timeout_s: float) -> Outcomes:
    return peer.run(partial(peer.attempt, struck, list(arguments), timeout_s))


def _kill_victim(victim: Path, timeout_s: float) -> None:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        with suppress(FileNotFoundError):
            os.kill(int(victim.read_text()), signal.SIGKILL)
            return
        time.sleep(POLL_S)


def _state_after(later: Outcomes) -> str:
    errors = [call.error for call in later.calls if call.what == "failed"]
    if errors:
        return f"is dead ({errors[0]})"
    return "answers no more" if any(call.what != "came back" for call in later.calls) else ""


def _sum_up(
    found: Outcomes, arguments: list[int], folder: Path, pool: str, timeout_s: float
) -> Struck:
    counts = Counter(call.what for call in found.calls)
    missing = counts["never came back"]
    again = [
        call
        for call, argument in zip(found.calls, arguments, strict=True)
        if call.what == "came back" and runs_of(folder, argument) > 1
    ]
    return Struck(
        came_back=counts["came back"],
        failed=counts["failed"],
        never_came_back=missing,
        errors=sorted({call.error for call in found.calls if call.error}),
        run_again=len(again),
        known_after_s=timeout_s if missing else max(call.after_s for call in found.calls),
        pool=pool,
    )
