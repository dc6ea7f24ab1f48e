"""A place without a process: whoever stands there is a stand-in, its wire a socket pair."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from zonesim.processes.slot import Host
from zonesim.scenario.supervision import Supervision
from zonesim.wire.channel import Channel
from zonesim.wire.messages import Adopt, Drain, FromController, FromZones, Halt, Stop
from zonesim.workloads.base import ZoneSpec

NOW_NS = 7_000_000_000


class StandIn:
    """A zone process of which nothing is known but whether it was killed."""

    def __init__(self) -> None:
        self.pid = 4_711
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1


def host_of(*zones: int) -> Host:
    host = Host(4, Supervision())
    for zone in zones:
        host.specs[zone] = ZoneSpec(zone, 1, 0.4, "chains", "")
    return host


@pytest.fixture
def clock(monkeypatch):
    """The clock of places; it stands still where nobody moves it."""
    clock = SimpleNamespace(now_ns=NOW_NS)
    clock.monotonic_ns = lambda: clock.now_ns
    monkeypatch.setattr("zonesim.processes.slot.time", clock)
    return clock


@asynccontextmanager
async def wired(host: Host):
    """The wire to a process that has said hello; its end of it."""
    near, far = trio.socket.socketpair()
    async with (
        Channel(trio.SocketStream(near), FromZones) as channel,
        Channel(trio.SocketStream(far), FromController) as its_end,
    ):
        host.connected(channel)
        with trio.fail_after(30):
            yield its_end


def test_a_place_is_called_after_its_zones_or_after_its_number_where_it_has_none():
    assert host_of().title == "zone process 4"
    assert host_of(7).title == "zonesim zone 7"
    assert host_of(9, 7, 8).title == "zonesim zones 7-9"


def test_a_place_is_up_once_somebody_stands_there_who_has_made_all_of_its_zones():
    host = host_of(7, 8)
    assert not host.is_up
    host.stands(StandIn())
    assert not host.is_up
    host.connected(object())
    assert not host.is_up
    host.made.add(7)
    assert not host.is_up
    host.made.add(8)
    assert host.is_up


def test_a_place_that_gets_another_zone_is_not_up_until_that_is_made():
    host = host_of(7)
    host.connected(object())
    host.made.add(7)
    host.specs[8] = host.specs[7]
    assert not host.is_up
    host.made.add(8)
    assert host.is_up


def test_a_place_without_zones_is_never_up():
    host = host_of()
    host.stands(StandIn())
    host.connected(object())
    assert not host.is_up


def test_a_zone_that_has_gone_does_not_keep_a_place_from_being_up():
    host = host_of(7)
    host.connected(object())
    host.made |= {7, 8}
    assert host.is_up


def test_a_new_process_has_everything_before_it(clock):
    host = host_of(7)
    host.stands(StandIn())
    host.connected(object())
    host.assigned, host.made = {7}, {7}
    host.step_ordered = host.step_done = 3
    host.kill("killed: too slow")
    host.gone()

    host.stands(successor := StandIn())

    assert host.handle is successor
    assert host.channel is None
    assert (host.assigned, host.made) == (set(), set())
    assert (host.step_ordered, host.step_done) == (0, 0)
    assert host.why_killed == ""


def test_a_place_outlives_its_process_and_knows_when_that_has_died(clock):
    host = host_of(7)
    assert host.died_ns == 0
    host.stands(StandIn())
    host.connected(object())
    host.made.add(7)
    clock.now_ns += 5

    host.gone()

    assert not host.is_up
    assert (host.handle, host.channel) == (None, None)
    assert host.died_ns == NOW_NS + 5
    assert list(host.specs) == [7]
    host.stands(StandIn())
    assert host.died_ns == NOW_NS + 5


def test_the_silence_of_a_process_begins_when_it_is_started(clock):
    host = host_of(7)
    host.connected(object())
    host.gone()
    clock.now_ns += 5
    host.stands(StandIn())
    assert host.heard_ns == NOW_NS + 5


def test_each_word_of_a_process_is_remembered_with_its_time_and_hello_is_one(clock):
    host = host_of(7)
    host.connected(object())
    assert host.heard_ns == NOW_NS
    clock.now_ns += 5
    assert host.heard_ns == NOW_NS
    host.heard()
    assert host.heard_ns == NOW_NS + 5


def test_a_process_that_is_killed_twice_died_of_the_first_reason():
    host = host_of(7)
    host.stands(process := StandIn())
    host.kill("killed: too slow")
    host.kill("the run ends")
    assert host.why_killed == "killed: too slow"
    assert process.kills == 2  # the second may be needed, where the first came to nothing


def test_a_place_where_nobody_stands_can_be_cleared_all_the_same():
    host = host_of(7)
    host.kill("the run ends")
    assert host.handle is None


def test_a_process_that_has_ended_is_not_killed_any_more():
    host = host_of(7)
    host.stands(process := StandIn())
    host.gone()
    host.kill("the run ends")
    assert process.kills == 0


def test_deaths_count_for_the_place_and_not_for_the_process():
    host = host_of(7)
    host.restarts.after_death(1.0)
    host.stands(StandIn())
    assert host.restarts.recent == 1


@pytest.mark.trio
async def test_orders_go_to_the_process_in_the_order_they_are_given():
    host = host_of(7)
    orders = [Halt(), Drain([7]), Adopt(3, 7, b"players"), Stop()]
    async with wired(host) as its_end:
        for order in orders:
            await host.tell(order)
        assert [await its_end.receive() for _ in orders] == orders


@pytest.mark.trio
async def test_where_nobody_has_said_hello_an_order_goes_nowhere():
    host = host_of(7)
    await host.tell(Halt())
    host.stands(StandIn())
    await host.tell(Halt())


@pytest.mark.trio
async def test_a_process_that_has_ended_hears_none_of_the_order_that_is_on_its_way():
    """It is larger than what the wire holds: the end comes in the middle of it."""
    host = host_of(7)
    async with wired(host) as its_end, trio.open_nursery() as nursery:
        nursery.start_soon(host.tell, Adopt(1, 7, bytes(3 << 20)))
        await trio.testing.wait_all_tasks_blocked()
        await its_end._stream.aclose()
    assert isinstance(host.channel, Channel)  # whoever minds the place has not seen it yet


@pytest.mark.trio
async def test_a_process_that_has_ended_is_told_nothing_and_nobody_minds():
    host = host_of(7)
    async with wired(host) as its_end:
        await its_end._stream.aclose()
        await host.tell(Halt())
        await host.tell(Stop())


@pytest.mark.trio
async def test_an_order_over_a_wire_that_this_end_has_closed_goes_nowhere():
    """Whoever heard the process out has closed it, and nobody has noticed its end yet."""
    host = host_of(7)
    async with wired(host):
        pass
    assert isinstance(host.channel, Channel)
    await host.tell(Halt())


def test_places_have_nothing_in_common():
    first, other = host_of(7), host_of(8)
    first.assigned.add(7)
    first.made.add(7)
    first.restarts.after_death(1.0)
    assert (other.assigned, other.made, other.restarts.recent) == (set(), set(), 0)
    assert list(other.specs) == [8]


def ticks(zone: int, count: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(zone=zone, tick=tick, busy_ns=1) for tick in range(count)]


def hangs_until_given_up(host: Host, rows: list[SimpleNamespace]) -> int:
    """How often it may hang, an hour apart, when it has run so many ticks in each life."""
    for life in range(50):
        host.stands(StandIn())
        host.note_ticks(rows)
        if host.restarts.after_death(3600.0 * life, hung=True) is None:
            return life
    return 50


def test_a_place_whose_zone_never_gets_past_its_checkpoint_is_given_up():
    policy = Supervision(checkpoint_ticks=4, restarts=3)
    assert hangs_until_given_up(Host(4, policy), ticks(7, 4)) == 3


@pytest.mark.parametrize(
    "policy", [Supervision(checkpoint_ticks=4), Supervision(checkpoint_ticks=0)]
)
def test_a_place_whose_zone_hangs_now_and_then_is_kept(policy):
    assert hangs_until_given_up(Host(4, policy), ticks(7, 300)) == 50


def test_a_neighbour_that_gets_on_does_not_speak_for_a_zone_that_hangs():
    host = Host(4, Supervision(checkpoint_ticks=4, restarts=3))
    host.hung_zones = (7,)
    assert hangs_until_given_up(host, ticks(8, 300)) == 3
