from __future__ import annotations

import pytest

from zonesim.world.determinism import Random, derive


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


def test_both_ends_of_a_range_are_drawn():
    random = Random(5)
    assert {random.between(3, 5) for _ in range(100)} == {3, 4, 5}


def test_streams_with_other_names_or_another_order_differ():
    seeds = [derive(1), derive(2), derive(1, 0), derive(1, 1), derive(1, 0, 1), derive(1, 1, 0)]
    assert len(set(seeds)) == len(seeds)


def test_a_negative_or_huge_seed_is_as_good_as_any():
    assert derive(-1) == derive(2**64 - 1)
    assert Random(2**70).bits() == Random(0).bits()
