"""The heap of timers, and the tokens that hold them. No scheduler here."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from corororo._core._timers import CancellationToken, Timer, Timers


def test_a_timer_added_by_a_timer_waits_for_the_next_time() -> None:
    timers = Timers()
    ran: list[str] = []

    def breed() -> None:
        ran.append("first")
        timers.add(0, lambda: ran.append("second"))

    timers.add(0, breed)
    timers.run_due(0)
    assert (ran, len(timers)) == (["first"], 1)
    timers.run_due(0)
    assert (ran, len(timers)) == (["first", "second"], 0)


def test_a_timer_given_up_by_one_of_the_same_moment_does_not_run() -> None:
    timers = Timers()
    ran: list[str] = []
    second: list[Timer] = []
    timers.add(1, lambda: timers.remove(second[0]))
    second.append(timers.add(1, lambda: ran.append("second")))
    timers.run_due(1)
    assert (ran, len(timers)) == ([], 0)


def test_thousands_given_up_are_forgotten() -> None:
    timers = Timers()
    for i in range(10_000):
        timers.remove(timers.add(10**9 + i, lambda: None))
    assert len(timers) == 0
    assert len(timers._heap) < 200
    assert timers.next_due_ns() is None


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "run"]), st.integers(0, 20))))
def test_timers_agree_with_a_sorted_list(acts: list[tuple[str, int]]) -> None:
    timers = Timers()
    ran: list[int] = []
    model: dict[int, int] = {}  # number -> due
    made: list[Timer] = []
    expected: list[int] = []
    for kind, value in acts:
        if kind == "add":
            model[len(made)] = value
            made.append(timers.add(value, partial(ran.append, len(made))))
        elif kind == "remove" and made:
            timers.remove(made[value % len(made)])
            model.pop(value % len(made), None)
        elif kind == "run":
            due = sorted((due, i) for i, due in model.items() if due <= value)
            expected += [i for _, i in due]
            for _, i in due:
                del model[i]
            timers.run_due(value)
        assert ran == expected
        assert len(timers) == len(model)
        assert timers.next_due_ns() == min(model.values(), default=None)


def test_a_token_cancels_once_and_never_after_it_has_expired() -> None:
    cancelled: list[str] = []
    token = CancellationToken(lambda: cancelled.append("once"))
    with token:
        assert token.valid
    token.cancel()
    assert (cancelled, token.valid) == (["once"], False)
    other = CancellationToken(lambda: cancelled.append("never"))
    other.expire()
    other.cancel()
    assert cancelled == ["once"]
