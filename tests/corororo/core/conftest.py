"""A Scheduler on a clock that only jumps, and a transfer whose replies a test gives by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hand_transfer import HandTransfer

import corororo as cr
from corororo.testing import MockClock


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def hand() -> HandTransfer:
    return HandTransfer()


@pytest.fixture
def scheduler(clock: MockClock) -> Iterator[cr.Scheduler]:
    """Without a pool: AsyncTasks run inline."""
    with cr.Scheduler(clock=clock) as scheduler:
        yield scheduler


@pytest.fixture
def by_hand(hand: HandTransfer, clock: MockClock) -> Iterator[cr.Scheduler]:
    """Its AsyncTasks are answered through ``hand``."""
    with cr.Scheduler(hand, clock=clock) as scheduler:
        yield scheduler
