"""The ticks of a step that were due and have not run, while it goes on. Knows no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zonesim.controller.zone_states import ZoneState
from zonesim.results.step_info import StepInfo, count_missed_by, due_in, ticks_left
from zonesim.wire.ticks import TickRow
from zonesim.zone.phases import DueTimes

GONE = frozenset({ZoneState.UNHEALTHY, ZoneState.CREATING, ZoneState.STARTING})
_NOBODY = -1  # no process


class _Ran:
    """What a zone has run of the step."""

    def __init__(self, due: DueTimes) -> None:
        self.due = due
        self.ticks = 0
        self.last_ns = 0  # when the latest of them was due
        self.next_tick = 0  # the number after all of theirs
        self.pid = _NOBODY


class MissedGauge:
    """Takes the rows of one step as they come.

    ``until`` says of each zone which tick is the first that it runs no more, where that bounds it.
    """

    def __init__(self, step: StepInfo, until: Mapping[int, int | None]) -> None:
        self._step = step
        self._until = until
        self._ran = {zone: _Ran(due_in(step, zone)) for zone in until}
        self._gone: dict[int, int] = {}  # by zone whose process is no more: which one that was
        self._end_ns: int | None = None  # of the step that is over

    def take(self, rows: Iterable[TickRow]) -> None:
        """Count ticks that have run; zones that the step leaves out owe it nothing."""
        for row in rows:
            ran = self._ran.get(row.zone)
            if ran is not None:
                ran.ticks += 1
                ran.last_ns = max(ran.last_ns, row.scheduled_ns)
                ran.next_tick = max(ran.next_tick, row.tick + 1)
                ran.pid = row.pid

    def end_at(self, end_ns: int) -> None:
        """The step is over: nothing was due from then on, or with 0, after the last tick."""
        self._end_ns = end_ns

    def missed(self, states: Mapping[int, ZoneState], now_ns: int) -> int:
        """How many of all zones.

        Of a zone that is well, those before its latest tick: what has been due since then may yet
        run, unless the step is over. One whose process is gone has missed them, until another
        process has run a tick.
        """
        for zone, state in states.items():
            if zone in self._ran and state in GONE:
                self._gone[zone] = self._ran[zone].pid
        return sum(self._missed_by(zone, now_ns) for zone in self._ran)

    def _missed_by(self, zone: int, now_ns: int) -> int:
        ran = self._ran[zone]
        if self._gone.get(zone) != ran.pid and self._end_ns is None:
            return count_missed_by(ran.due, ran.ticks, ran.last_ns)
        left = ticks_left(self._step, self._until[zone] or 0, ran.next_tick)
        end_ns = min(now_ns, self._step.end_ns or now_ns)
        if self._end_ns is not None:
            end_ns = self._end_ns
        return count_missed_by(ran.due, ran.ticks, ran.last_ns, left, end_ns)
