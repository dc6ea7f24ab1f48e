from __future__ import annotations

import resource

import pytest

from zonesim.system.errors import RunFailed
from zonesim.system.open_files import FOR_EACH_ZONE, FOR_THE_REST, allow_files_for

NEEDED = 10 * FOR_EACH_ZONE + FOR_THE_REST  # for ten zones
ENDLESS = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch):
    """Limits that nothing but the test has: (soft, hard), changed in place."""
    state = [0, 0]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(state))
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: state.__setitem__(slice(2), new))
    return state


@pytest.mark.parametrize("hard", [NEEDED, NEEDED + 1, ENDLESS])
def test_a_low_soft_limit_is_raised_as_far_as_needed(limits, hard):
    limits[:] = 64, hard

    allow_files_for(10)

    assert limits == [NEEDED, hard]


@pytest.mark.parametrize("soft", [NEEDED, 10**6, ENDLESS])
def test_a_soft_limit_that_is_enough_is_left_alone(limits, soft):
    limits[:] = soft, ENDLESS

    allow_files_for(10)

    assert limits == [soft, ENDLESS]


def test_a_hard_limit_that_is_too_low_is_refused_with_both_numbers(limits):
    limits[:] = 64, NEEDED - 1

    with pytest.raises(RunFailed, match=rf"10 zones need {NEEDED} .* limit is {NEEDED - 1}; raise"):
        allow_files_for(10)
