"""Sizes on which the kernel's promises rest."""

from __future__ import annotations

import mmap
import select

from hypothesis import given
from hypothesis import strategies as st

from corororo._ring import Descriptor, RecordHeader, record_bytes
from corororo._ring._layout import (
    ALIGNMENT,
    CONTENT,
    CONTENT_OFFSET,
    DESCRIPTOR,
    DESCRIPTOR_BYTES,
    RECORD_HEADER,
    STATE,
)

LENGTHS = st.integers(0, 1 << 20)


def test_a_descriptor_is_whole_whoever_writes_and_divides_the_page() -> None:
    assert DESCRIPTOR_BYTES <= select.PIPE_BUF
    assert mmap.PAGESIZE % DESCRIPTOR_BYTES == 0


def test_a_descriptor_comes_out_as_it_went_in() -> None:
    descriptor = Descriptor(1, 2, 3, 4, 5, 1 << 63, 7, 8)
    assert Descriptor._make(DESCRIPTOR.unpack(DESCRIPTOR.pack(*descriptor))) == descriptor


def test_what_changes_and_what_does_not_are_the_whole_header() -> None:
    assert STATE.size == CONTENT_OFFSET
    assert STATE.size + CONTENT.size == RECORD_HEADER.size


@given(LENGTHS, LENGTHS, LENGTHS)
def test_a_record_holds_its_parts_without_overlap(name: int, request: int, room: int) -> None:
    header = RecordHeader(1, 0, 0, 0, 7, name, request, room, 1, 0)
    assert header.request_offset == RECORD_HEADER.size + name
    assert header.request_offset + request <= header.reply_offset
    assert header.reply_offset % 8 == 0
    length = record_bytes(name, request, room)
    assert header.reply_offset + room <= length < header.reply_offset + room + ALIGNMENT
    assert length % ALIGNMENT == 0
