"""Whether the fork server lives that processes come from. Starts none and ends none."""

from __future__ import annotations

from collections.abc import Callable

from corororo.processes import DEAD, forkserver_pid, process_state


class ServerWatch:
    """Finds out that the server has died, or that another one stands in its place."""

    def __init__(
        self,
        pid_now: Callable[[], int | None] = forkserver_pid,
        state_of: Callable[[int], str] = process_state,
    ) -> None:
        self._pid_now, self._state_of = pid_now, state_of
        self._seen = pid_now()
        self._told: int | None = None

    def look(self) -> int | None:
        """The process id of one that has died; each is told once."""
        before, now = self._seen, self._pid_now()
        self._seen = now
        if before is None or before == self._told:
            return None
        # Whoever starts the next one asks the system about the last, which then knows it no more.
        if before == now and self._state_of(before) not in DEAD:
            return None
        self._told = before
        return before
