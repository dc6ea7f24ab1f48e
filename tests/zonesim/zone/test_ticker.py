"""A Ticker on a zone that only notes what it is told, on a clock that jumps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

import corororo as cr
from zonesim.wire.messages import Leg
from zonesim.zone.schedule import phase_ns
from zonesim.zone.ticker import Slack, Ticker

pytestmark = pytest.mark.trio

PERIOD_NS = 400_000_000
NUMBER = 7


def now_ns() -> int:
    return round(trio.current_time() * 1e9)


class NotingZone:
    def __init__(self) -> None:
        self.spec = SimpleNamespace(zone=NUMBER, missed="skip")
        self.next_tick, self.ticking = 0, False
        self.done: list[tuple[str, int]] = []

    async def rehearse(self, until_s: float) -> None:
        self.done.append(("rehearse", now_ns()))

    def end_rehearsals(self) -> None:
        self.done.append(("end", now_ns()))

    async def tick(self, schedule) -> None:
        self.done.append(("tick", now_ns()))
        self.next_tick += 1
        schedule.finish(now_ns())


@pytest.fixture
def run_leg(monkeypatch):
    async def run(lead_ns: int) -> list[tuple[str, int]]:
        """What a zone does, in nanoseconds since its first tick was due."""
        origin_ns = now_ns() + lead_ns
        leg = Leg(1, origin_ns, origin_ns, PERIOD_NS, {NUMBER: 2}, None, realtime=True)
        zone = NotingZone()
        with cr.SlackCollector() as garbage:
            await Ticker(zone, leg, Slack(garbage), no_row, lambda _: None).run()
        first_ns = origin_ns + phase_ns(NUMBER, PERIOD_NS)
        return [(what, round((at_ns - first_ns) / 1e6)) for what, at_ns in zone.done]

    monkeypatch.setattr("zonesim.zone.ticker.time", SimpleNamespace(monotonic_ns=now_ns))
    return run


async def no_row(row: object) -> None:
    """Take no row."""


async def test_a_zone_rehearses_when_ticks_would_be_due_before_its_first_one(
    run_leg, autojump_clock
):
    done = await run_leg(lead_ns=2 * PERIOD_NS)

    assert [what for what, _ in done] == ["rehearse", "rehearse", "end", "tick", "tick"]
    assert [at for what, at in done if what != "end"] == [-800, -400, 0, 400]


async def test_a_zone_whose_first_tick_is_due_at_once_does_not_rehearse(run_leg, autojump_clock):
    done = await run_leg(lead_ns=-phase_ns(NUMBER, PERIOD_NS))

    assert [what for what, _ in done] == ["end", "tick", "tick"]
