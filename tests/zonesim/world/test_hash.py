from __future__ import annotations

import struct
from array import array

from hypothesis import given
from hypothesis import strategies as st

from zonesim.world.determinism import combine, hash_state

u64 = st.integers(0, 2**64 - 1)


def test_the_hash_is_the_same_in_every_process():
    assert hash_state([array("d", [1.5, -2.0]), array("q", [3]), b"\x01"]) == 0x0A3EED4BBD201AFD
    assert combine([(1, 10), (2, 20)]) == 0xBE29B938630845C6


def test_an_array_is_hashed_as_its_little_endian_bytes():
    assert hash_state([array("Q", [1, 2**63])]) == hash_state([struct.pack("<2Q", 1, 2**63)])


def test_one_bit_changes_the_hash():
    assert hash_state([b"\x00" * 100]) != hash_state([b"\x00" * 99 + b"\x01"])


@given(st.dictionaries(u64, u64, max_size=8), st.randoms())
def test_the_order_of_zones_does_not_matter(hashes, order):
    pairs = list(hashes.items())
    combined = combine(pairs)
    order.shuffle(pairs)
    assert combine(pairs) == combined
    assert 0 <= combined < 2**64


def test_hashes_swapped_between_zones_are_told_apart():
    assert combine([(1, 10), (2, 20)]) != combine([(1, 20), (2, 10)])
