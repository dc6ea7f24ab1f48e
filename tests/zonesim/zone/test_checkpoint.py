from __future__ import annotations

import os
import resource
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.zone.checkpoint import HEADER, VERSION, Checkpoint, CheckpointError, before, load, save

STATE = bytes(range(256))
HASH = 2**64 - 1


@pytest.fixture
def path(tmp_path):
    return tmp_path / "zone-3.checkpoint"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a checkpoint, and a path where there is none."""
    path = tmp_path_factory.mktemp("checkpoint") / "zone"
    save(path, Checkpoint(7, HASH, STATE))
    data = path.read_bytes()
    path.unlink()
    return data, path


@contextmanager
def no_file_longer_than(limit_bytes):
    """A disk that is full for this process: whoever writes on gets an OSError."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def assert_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        load(path)


def test_what_was_saved_is_loaded(path):
    save(path, Checkpoint(7, HASH, STATE))
    assert load(path) == Checkpoint(7, HASH, STATE)


def test_where_none_was_written_there_is_none(path):
    assert load(path) is None


def test_the_latest_is_loaded_and_the_one_before_is_kept(path):
    for tick in range(3):
        save(path, Checkpoint(tick, tick, b"state"))
    assert load(path) == Checkpoint(2, 2, b"state")
    assert load(before(path)) == Checkpoint(1, 1, b"state")
    assert sorted(os.listdir(path.parent)) == [path.name, before(path).name]


def test_a_checkpoint_may_be_empty_and_before_the_first_tick(path):
    save(path, Checkpoint(-1, 0, b""))
    assert load(path) == Checkpoint(-1, 0, b"")


def test_a_file_that_is_cut_at_any_byte_is_never_taken_for_whole(whole):
    data, path = whole
    for length in range(len(data)):
        assert_refused(path, data[:length])


def test_a_file_with_any_byte_flipped_is_never_taken_for_whole(whole):
    data, path = whole
    for place in range(len(data)):
        for bits in (0x01, 0x80, 0xFF):
            assert_refused(path, data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :])


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_random_bytes_are_never_taken_for_a_checkpoint(whole, start, rest):
    data, path = whole
    assert_refused(path, start)
    assert_refused(path, data[: HEADER.size] + rest)
    assert_refused(path, data + b"\0" + rest)


@pytest.mark.parametrize("latest", [b"", b"torn", None])
def test_where_the_latest_is_torn_or_gone_the_one_before_is_taken(path, latest):
    save(path, Checkpoint(1, 1, b"first"))
    save(path, Checkpoint(2, 2, b"second"))
    if latest is None:
        path.unlink()  # as a death between the two moves of a save leaves it
    else:
        path.write_bytes(latest)
    assert load(path) == Checkpoint(1, 1, b"first")


def test_where_the_latest_is_of_another_version_the_one_before_is_taken(path):
    save(path, Checkpoint(1, 1, b"first"))
    save(path, Checkpoint(2, 2, b"second"))
    magic, _, *rest = HEADER.unpack_from(data := path.read_bytes())
    path.write_bytes(HEADER.pack(magic, VERSION + 1, *rest) + data[HEADER.size :])
    assert load(path) == Checkpoint(1, 1, b"first")


def test_where_neither_can_be_used_the_error_tells_what_is_wrong_with_both(path):
    path.write_bytes(b"torn")
    before(path).write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError) as refused:
        load(path)
    assert str(refused.value) == (
        f"{path}: expected a whole checkpoint of version 1, found that zone-3.checkpoint holds "
        "only 4 bytes and zone-3.checkpoint.before is no checkpoint; remove what is there to "
        "start the zone anew"
    )


def test_a_save_that_finds_no_room_leaves_what_stood_there_and_nothing_else(path):
    save(path, Checkpoint(1, 1, b"first"))
    with no_file_longer_than(HEADER.size + 10), pytest.raises(OSError, match="too large"):
        save(path, Checkpoint(2, 2, bytes(1000)))
    assert load(path) == Checkpoint(1, 1, b"first")
    assert os.listdir(path.parent) == [path.name]
