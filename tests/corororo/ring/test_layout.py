"""Sizes on which the kernel's promises rest."""

from __future__ import annotations

import mmap
import select

from hypothesis import given
from hypothesis import strategies as st

from corororo._ring import Descriptor, RecordHeader, record_bytes
from corororo._ring._layout import (
    ALIGNMENT,
    CALLS_MAX,
    CONTENT,
    CONTENT_OFFSET,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    HOLDER_OFFSET,
    PROGRESS_OFFSET,
    RECORD_HEADER,
    WORD,
    progress,
)

LENGTHS = st.integers(0, 1 << 20)


def test_a_descriptor_is_whole_whoever_writes_and_divides_the_page() -> None:
    assert DESCRIPTOR_BYTES <= select.PIPE_BUF
    assert mmap.PAGESIZE % DESCRIPTOR_BYTES == 0


def test_a_descriptor_comes_out_as_it_went_in() -> None:
    descriptor = Descriptor(1, 2, 3, 4, 5, 1 << 63, 7)
    assert Descriptor._make(DESCRIPTOR.unpack(DESCRIPTOR.pack(*descriptor))) == descriptor


def test_what_changes_and_what_does_not_are_the_whole_header() -> None:
    assert CONTENT_OFFSET + CONTENT.size == RECORD_HEADER.size
    assert 2 * WORD.size == CONTENT_OFFSET


def test_a_word_that_others_read_stands_in_one_cache_line() -> None:
    for offset in (HOLDER_OFFSET, PROGRESS_OFFSET):
        assert offset % WORD.size == 0
    assert ALIGNMENT % WORD.size == 0


@given(st.integers(0, CALLS_MAX - 1), st.integers(0, 1 << 63), st.integers(0, 1 << 50))
def test_progress_tells_the_call_and_for_how_long(call: int, start_ns: int, for_ns: int) -> None:
    header = RecordHeader(1, progress(call, start_ns), 7, 0, 0, 0, 1, 1)
    assert header.current == call
    assert abs(header.runs_for_ns(start_ns + for_ns) - for_ns) <= 1_000


@given(LENGTHS, LENGTHS, LENGTHS)
def test_a_record_holds_its_parts_without_overlap(name: int, request: int, room: int) -> None:
    header = RecordHeader(1, 0, 7, name, request, room, 1, 0)
    assert header.request_offset == RECORD_HEADER.size + name
    assert header.request_offset + request <= header.reply_offset
    assert header.reply_offset % 8 == 0
    length = record_bytes(name, request, room)
    assert header.reply_offset + room <= length < header.reply_offset + room + ALIGNMENT
    assert length % ALIGNMENT == 0
