"""Places that have to be filled, whoever dies: stand-ins for the processes.

The supervisor's own clock is the one of trio, and nothing here takes the seconds that it speaks of.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing
from stand_ins import HOUR_NS, POLICY, Observer, StandIn, place

from zonesim.scenario.supervision import Supervision


@pytest.mark.trio
async def test_whoever_dies_is_started_again_and_waits_twice_as_long_each_time(jumping):
    policy = Supervision(restarts=3, backoff_s=1.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=10) for _ in range(4)]

    await observer.supervisor.keep(host)

    assert observer.started_s == [0, 10 + 1, 21 + 2, 33 + 4]
    assert observer.deaths == [host] * 4
    died = ("zone-died", "zone 7", "with exit code 3")
    why = "died 4 times, the last time with exit code 3"
    quarantined = ("zone-quarantined", "zone 7", f"{why}; it is not started again")
    assert observer.events == [died] * 4 + [quarantined]
    assert observer.given_up == [(host, why)]
    assert host.given_up


@pytest.mark.trio
async def test_whoever_dies_seldom_is_never_given_up(jumping):
    policy = Supervision(restarts=1, window_s=60.0, backoff_s=1.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=60) for _ in range(20)]
    observer.lives.append(StandIn())
    with trio.move_on_after(20 * 61 + 30):
        await observer.supervisor.keep(host)

    assert observer.started_s == [61 * life for life in range(21)]
    assert observer.given_up == []
    assert not host.given_up


@pytest.mark.trio
async def test_a_process_stands_at_its_place_while_it_lives_and_no_longer(jumping):
    observer, host = Observer(), place()
    observer.lives = [first := StandIn(lasts_s=10), second := StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(9)
        assert host.handle is first
        host.connected(object())
        await trio.sleep(1 + POLICY.backoff_s / 2)
        assert (host.handle, host.channel) == (None, None)
        assert host.died_ns == HOUR_NS + 10_000_000_000
        await trio.sleep(POLICY.backoff_s)
        assert host.handle is second
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_whoever_was_killed_died_of_the_reason_why(jumping):
    policy = Supervision(restarts=0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(1)
        host.kill("killed: too slow")

    assert observer.events[0] == ("zone-died", "zone 7", "killed: too slow")
    assert observer.given_up[0][1] == "died 1 times, the last time killed: too slow"


@pytest.mark.trio
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BlockingIOError(11, "Resource temporarily unavailable"), "Resource temporarily"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (EOFError("unexpected EOF"), "unexpected EOF"),
        (EOFError(), "EOFError"),
        (OSError(), "OSError"),
    ],
    ids=["no room", "no fork server", "a fork server that dies", "silently", "without a number"],
)
async def test_a_process_that_cannot_be_started_has_died_and_is_tried_again(error, told, jumping):
    observer, host = Observer(), place()
    observer.lives = [error, StandIn()]
    with trio.move_on_after(10):
        await observer.supervisor.keep(host)

    assert observer.started_s == [0, POLICY.backoff_s]
    assert observer.deaths == [host]
    [(kind, _, detail)] = observer.events
    assert kind == "zone-died"
    assert detail.startswith("before it began: ")
    assert told in detail
    assert host.died_ns == HOUR_NS
    assert host.restarts.recent == 1


@pytest.mark.trio
async def test_a_place_where_nobody_can_ever_be_started_is_given_up(jumping):
    policy = Supervision(restarts=2)
    observer, host = Observer(policy), place(policy)
    observer.lives = [OSError("no room") for _ in range(3)]

    await observer.supervisor.keep(host)

    assert observer.kinds() == ["zone-died"] * 3 + ["zone-quarantined"]
    assert observer.given_up == [(host, "died 3 times, the last time before it began: no room")]
    assert host.handle is None


@pytest.mark.trio
async def test_other_errors_of_a_start_are_for_the_run_to_see(jumping):
    observer = Observer()
    observer.lives = [ValueError("a mistake")]
    with pytest.raises(ValueError, match="a mistake"):
        await observer.supervisor.keep(place())


@pytest.mark.trio
async def test_whoever_has_been_told_to_end_is_not_missed(jumping):
    observer, host = Observer(), place()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        host.is_leaving = True

    assert (observer.events, observer.deaths, observer.given_up) == ([], [], [])
    assert observer.started_s == [0]


@pytest.mark.trio
async def test_nobody_is_started_at_a_place_that_was_left_before_the_wait_was_over(jumping):
    policy = Supervision(backoff_s=10.0, backoff_max_s=10.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        host.is_leaving = True

    assert observer.started_s == [0]
    assert observer.kinds() == ["zone-died"]
    assert (host.handle, host.given_up) == (None, False)


@pytest.mark.trio
async def test_nobody_is_started_at_a_place_that_is_left_already(jumping):
    observer, host = Observer(), place()
    host.is_leaving = True
    await observer.supervisor.keep(host)
    assert (observer.started_s, observer.events) == ([], [])


@pytest.mark.trio
async def test_who_dies_when_all_are_to_end_is_told_of_and_not_started_again(jumping):
    observer, host = Observer(), place()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        observer.supervisor.ending = True

    assert observer.kinds() == ["zone-died"]
    assert observer.deaths == [host]
    assert (host.given_up, host.restarts.recent) == (False, 0)


@pytest.mark.trio
async def test_nobody_is_started_who_still_waits_for_it_when_all_are_to_end(jumping):
    policy = Supervision(backoff_s=10.0, backoff_max_s=10.0)
    observer, host = Observer(policy), place(policy)
    observer.lives = [StandIn(lasts_s=1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, host)
        await trio.sleep(5)
        observer.supervisor.ending = True

    assert observer.started_s == [0]
    assert not host.given_up


@pytest.mark.trio
async def test_where_all_are_to_end_already_nobody_is_started_at_all(jumping):
    observer = Observer()
    observer.supervisor.ending = True
    await observer.supervisor.keep(place())
    assert observer.started_s == []
    assert observer.events == []


@pytest.mark.trio
async def test_no_place_waits_for_the_troubles_of_another(jumping):
    policy = Supervision(restarts=0)
    observer, poor, well = Observer(policy), place(policy, 1), place(policy, 2)
    observer.lives = [StandIn(lasts_s=1), healthy := StandIn()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, poor)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(observer.supervisor.keep, well)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()

    assert (poor.given_up, well.given_up) == (True, False)
    assert well.handle is healthy
    assert observer.given_up[0][0] is poor
