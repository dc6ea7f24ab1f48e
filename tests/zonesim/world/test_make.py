from __future__ import annotations

from hashlib import sha256

import pytest
from drawn_maps import plain_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from zonesim.world.make import make_map
from zonesim.world.map import GROUND

kinds = st.sampled_from(["caves", "fields", "towns"])
sides = st.integers(16, 40)


@given(kinds, sides, sides, st.integers(0, 2**64 - 1))
@settings(max_examples=40, deadline=None)
def test_the_ground_is_one_region_of_40_percent(kind, width, height, seed):
    made = make_map(kind, width, height, seed)
    assert (made.width, made.height) == (width, height)
    ground = made.classes.count(GROUND)
    assert ground * 100 >= 40 * width * height
    assert len(plain_distances(made, made.classes.index(GROUND))) == ground


@pytest.mark.parametrize(
    ("kind", "digest"),
    [("caves", "e9cd2a6446cf909e"), ("fields", "8027d18400b8c4aa"), ("towns", "cc09ef144c849bc1")],
)
def test_a_seed_gives_the_same_map_on_every_python(kind, digest):
    rows = "\n".join(make_map(kind, 64, 48, 7).rows)
    assert sha256(rows.encode()).hexdigest()[:16] == digest
