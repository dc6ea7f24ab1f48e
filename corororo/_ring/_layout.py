"""Byte offsets of records and descriptors. Knows nothing of tasks or msgspec.

A record stands in the ring of one zone, begins on a multiple of ALIGNMENT and holds one batch::

    0          8         12        16        20        24        28        32
    | sequence | attempt | worker  | name    | request | reply   | calls   |
    | u64      | u32     | u32     | length  | length  | room    | u32     |
    32        36         40                    48
    | timed   | current  | started ns          |
    | u32     | u32      | u64                 |
    | function name, request, padding to 8 | reply extent ... padding to ALIGNMENT |

The zone writes all of it but ``worker``, ``current``, ``started`` and the reply extent, which
belong to the worker that holds the record's lock. ``current`` and ``started`` tell which call runs
since when, in records that are ``timed``. ``sequence`` is never used twice, so a descriptor that
points to a record long freed finds another number there.

A descriptor travels through a FIFO and is 32 bytes long: under PIPE_BUF, so that the kernel
writes it whole, and a divisor of the page, so that a reader of 32 bytes never gets two halves::

    | kind u16 | flags u16 | ring u32 | offset u32 | length u32 | sequence u64 | attempt u32 | worker u32 |
"""  # noqa: E501  the picture is as wide as a descriptor

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

ALIGNMENT = 64
RECORD_HEADER = struct.Struct("<QIIIIIIIIQ")
PROGRESS = struct.Struct("<IQ")
PROGRESS_OFFSET = 36
RECORD_HEADER_BYTES = RECORD_HEADER.size
WORKER_FIELD = struct.Struct("<I")
WORKER_OFFSET = 12
ATTEMPT_AND_WORKER = struct.Struct("<II")
ATTEMPT_OFFSET = 8
DESCRIPTOR = struct.Struct("<HHIIIQII")
DESCRIPTOR_BYTES = DESCRIPTOR.size
NO_WORKER = 0
KILLED_ON_REQUEST = 1  # a flag of WORKER_DIED: a zone asked for it, because of a timeout


class Kind(enum.IntEnum):
    """What a descriptor says."""

    CALLS = 1  # zone to workers: this record waits for you
    REPLY = 2  # worker to zone: the reply stands in the record's extent
    SPILLED = 3  # worker to zone: the reply stands in a file of its own
    WORKER_DIED = 4  # pool to zones: the worker of this number is no more
    READY = 5  # worker to pool: I read descriptors from now on
    KILL = 6  # zone to pool: the worker of this number has had a call for too long


class Descriptor(NamedTuple):
    """The 32 bytes that travel, unpacked."""

    kind: int
    flags: int
    ring: int
    offset: int
    length: int
    sequence: int
    attempt: int
    worker: int


class RecordHeader(NamedTuple):
    """The first 48 bytes of a record, unpacked."""

    sequence: int
    attempt: int
    worker: int
    name_length: int
    request_length: int
    reply_room: int
    calls: int
    timed: int = 0
    current: int = 0
    started_ns: int = 0

    @property
    def request_offset(self) -> int:
        """Where the request begins, from the start of the record."""
        return RECORD_HEADER.size + self.name_length

    @property
    def reply_offset(self) -> int:
        """Where the reply extent begins, from the start of the record."""
        return reply_offset(self.name_length, self.request_length)


def reply_offset(name_length: int, request_length: int) -> int:
    """Where the reply extent of such a record begins, from its start."""
    return (RECORD_HEADER.size + name_length + request_length + 7) & ~7


def record_bytes(name_length: int, request_length: int, reply_room: int) -> int:
    """Bytes that a record takes in the ring, its padding included."""
    used = reply_offset(name_length, request_length) + reply_room
    return (used + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
