from __future__ import annotations

from hashlib import sha256

import pytest
from drawn_maps import plain_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from zonesim.world.make import make_map
from zonesim.world.map import GROUND, WATER, parse_map

KINDS = ("caves", "fields", "towns")
kinds = st.sampled_from(KINDS)
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


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_map(kind):
    assert make_map(kind, 64, 64, 1).rows != make_map(kind, 64, 64, 2).rows


def test_fields_have_lakes():
    assert make_map("fields", 64, 64, 7).classes.count(WATER) > 20


def test_a_made_map_can_be_written_as_a_moving_ai_map():
    made = make_map("towns", 20, 30, 7)
    text = "\n".join(["type octile", "height 30", "width 20", "map", *made.rows])
    assert parse_map(text, made.name) == made


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="one of caves, fields, towns; got 'moors'"):
        make_map("moors", 64, 64, 1)


@pytest.mark.parametrize("size", [(15, 64), (64, 1_025)])
def test_a_side_out_of_bounds_is_refused(size):
    with pytest.raises(ValueError, match="must be from 16 to 1024, got"):
        make_map("caves", *size, 1)
