from __future__ import annotations

import typing

import msgspec
import pytest

from zonesim.scenario.faults import WORKERS_MAX
from zonesim.wire.messages import (
    BYTES_MAX,
    DETAIL_CHARACTERS,
    REASON_CHARACTERS,
    FromController,
    FromZones,
    Hello,
    Ready,
    Ticks,
    WorkerTotals,
    failed,
)
from zonesim.wire.ticks import TickRow
from zonesim.zone.process import ROWS_IN_A_MESSAGE

WIDEST = 2**63 - 1


def test_every_message_has_a_bound_of_its_own():
    messages = {Hello, *typing.get_args(FromZones), *typing.get_args(FromController)}
    assert set(BYTES_MAX) == messages


def test_a_stranger_gets_to_say_little():
    assert BYTES_MAX[Hello] <= 256
    assert Hello not in typing.get_args(FromZones)  # nobody introduces himself twice
    assert len(msgspec.msgpack.encode(Hello(WIDEST, WIDEST))) <= BYTES_MAX[Hello]


def test_the_largest_bundle_of_ticks_fits_its_bound():
    row = TickRow(*[WIDEST] * 5, True, *[WIDEST] * 17, 2**64 - 1)
    totals = WorkerTotals(*[WIDEST] * 4)
    largest = Ticks([row] * ROWS_IN_A_MESSAGE, [totals] * 10 * WORKERS_MAX)
    assert len(msgspec.msgpack.encode(largest)) <= BYTES_MAX[Ticks]


def test_a_failure_can_be_sent_whatever_it_says():
    told = failed("x" * 10**6 + "\udce9", "first" + "\U0001f4a5" * 10**6 + "last \udce9")
    assert len(msgspec.msgpack.encode(told)) <= BYTES_MAX[type(told)]
    assert len(told.reason) == REASON_CHARACTERS
    assert len(told.detail) == DETAIL_CHARACTERS
    assert told.detail.endswith("last \\udce9")


@pytest.mark.parametrize("field", ["zone", "type"])
def test_a_field_that_is_not_known_is_another_language(field):
    data = msgspec.msgpack.encode({"zones": 1, field: "x"})
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.msgpack.decode(data, type=Ready)
