from __future__ import annotations

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.world.determinism import Random, combine, derive, hash_state

u64 = st.integers(0, 2**64 - 1)


def test_the_stream_of_seed_0_is_splitmix64():
    random = Random(0)
    assert [random.bits() for _ in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


@pytest.mark.parametrize("bound", [1, 2, 7, 100])
def test_every_value_below_a_bound_is_drawn_and_none_above(bound):
    random = Random(5)
    assert {random.below(bound) for _ in range(bound * 20)} == set(range(bound))
    assert {random.between(3, 5) for _ in range(100)} == {3, 4, 5}


def test_streams_with_other_names_or_another_order_differ():
    seeds = [derive(1), derive(2), derive(1, 0), derive(1, 1), derive(1, 0, 1), derive(1, 1, 0)]
    assert len(set(seeds)) == len(seeds)


def test_the_hash_is_the_same_in_every_process():
    assert hash_state([array("d", [1.5, -2.0]), array("q", [3]), b"\x01"]) == 0x0A3EED4BBD201AFD
    assert combine([(1, 10), (2, 20)]) == 0xBE29B938630845C6
    assert hash_state([array("Q", [1, 2**63])]) == hash_state([struct.pack("<2Q", 1, 2**63)])


@given(st.dictionaries(u64, u64, max_size=8), st.randoms())
def test_the_order_of_zones_does_not_change_the_combined_hash(hashes, order):
    pairs = list(hashes.items())
    combined = combine(pairs)
    order.shuffle(pairs)
    assert combine(pairs) == combined
    assert 0 <= combined < 2**64
