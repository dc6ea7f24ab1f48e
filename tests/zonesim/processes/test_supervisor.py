"""Restarts of stand-ins for zone processes, on a clock that jumps; the fork server."""

from __future__ import annotations

import resource

import pytest
import trio
import trio.testing
from stand_ins import HOUR_NS, POLICY, Observer, StandIn, make_slot

from zonesim.processes import preload
from zonesim.scenario.supervision import Supervision
from zonesim.system.errors import RunFailed


@pytest.mark.trio
async def test_a_process_that_dies_is_restarted_with_backoff_until_it_is_quarantined(
    jumping,
):
    policy = Supervision(restarts=3, backoff_s=1.0)
    observer, slot = Observer(policy), make_slot(policy)
    observer.lives = [StandIn(lasts_s=10) for _ in range(4)]

    await observer.supervisor.keep(slot)

    assert observer.started_s == [0, 10 + 1, 21 + 2, 33 + 4]
    assert observer.deaths == [slot] * 4
    died = ("zone-died", "zone 7", "with exit code 3")
    why = "died 4 times, the last time with exit code 3"
    quarantined = ("zone-quarantined", "zone 7", f"{why}; it is not started again")
    assert observer.events == [died] * 4 + [quarantined]
    assert observer.given_up == [(slot, why)]
    assert slot.quarantined


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
async def test_a_process_that_cannot_be_started_is_retried(error, told, jumping):
    observer, slot = Observer(), make_slot()
    observer.lives = [error, StandIn()]
    with trio.move_on_after(10):
        await observer.supervisor.keep(slot)

    assert observer.started_s == [0, POLICY.backoff_s]
    assert observer.deaths == [slot]
    [(kind, _, detail)] = observer.events
    assert kind == "zone-died"
    assert detail.startswith("failed to start: ")
    assert told in detail
    assert slot.died_ns == HOUR_NS
    assert slot.restarts.recent == 1


@pytest.mark.trio
async def test_the_end_of_a_retiring_process_is_no_event(jumping):
    observer, slot = Observer(), make_slot()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, slot)
        await trio.sleep(5)
        slot.retiring = True

    assert (observer.events, observer.deaths, observer.given_up) == ([], [], [])
    assert observer.started_s == [0]


@pytest.mark.trio
async def test_a_process_that_dies_while_the_run_ends_is_an_event_and_not_restarted(jumping):
    observer, slot = Observer(), make_slot()
    observer.lives = [StandIn(lasts_s=10)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(observer.supervisor.keep, slot)
        await trio.sleep(5)
        observer.supervisor.ending = True

    assert observer.kinds() == ["zone-died"]
    assert observer.deaths == [slot]
    assert (slot.quarantined, slot.restarts.recent) == (False, 0)


@pytest.mark.trio
@pytest.mark.parametrize("at_s", [0, 5])
@pytest.mark.parametrize("reason", ["retiring", "ending"])
async def test_no_process_is_started_for_a_slot_or_a_run_that_ends(jumping, reason, at_s):
    policy = Supervision(backoff_s=10.0, backoff_max_s=10.0)
    observer, slot = Observer(policy), make_slot(policy)
    observer.lives = [StandIn(lasts_s=1)]
    async with trio.open_nursery() as nursery:
        if at_s:
            nursery.start_soon(observer.supervisor.keep, slot)
            await trio.sleep(at_s)  # it has died and its restart is due later
        setattr(slot if reason == "retiring" else observer.supervisor, reason, True)
        if not at_s:
            nursery.start_soon(observer.supervisor.keep, slot)

    assert observer.started_s == ([0] if at_s else [])
    assert (slot.handle, slot.quarantined) == (None, False)


@pytest.mark.parametrize(
    ("pids", "states", "expected"),
    [
        ([5, 5, 5], "SSS", [None, None]),
        ([5, 5, 5, 6, 6], "SZZSS", [5, None, None, None]),
        ([5, 6, 6], "SSS", [5, None]),  # replaced before it was checked
        ([None, 5, 5], "SSS", [None, None]),  # the first one
        ([5, 6, 6], "SSZ", [5, 6]),
    ],
)
def test_each_fork_server_that_dies_is_noticed_once(monkeypatch, pids, states, expected):
    at = iter(range(len(pids)))
    seen = []

    def pid() -> int | None:
        seen.append(next(at))
        return pids[seen[-1]]

    monkeypatch.setattr(preload, "forkserver_pid", pid)
    monkeypatch.setattr(preload, "process_state", lambda pid: states[seen[-1]])
    watch = preload.ForkServerWatch()
    assert [watch.dead_pid() for _ in expected] == expected


NEEDED = preload.files_for(10)
ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "after"),
    [
        (64, NEEDED, NEEDED),
        (64, ENDLESS, NEEDED),
        (NEEDED, ENDLESS, NEEDED),
        (10**6, ENDLESS, 10**6),
        (64, NEEDED - 1, None),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_needed(monkeypatch, soft, hard, after):
    monkeypatch.setattr(preload, "forkserver", lambda modules: None)
    limits = [soft, hard]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.__setitem__(slice(2), new))
    if after is None:
        why = rf"10 zones need {NEEDED} .* limit is {NEEDED - 1}; raise"
        with pytest.raises(RunFailed, match=why):
            preload.start_fork_server(10)
    else:
        preload.start_fork_server(10)
        assert limits == [after, hard]
