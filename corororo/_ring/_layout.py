"""Byte layout of records and descriptors.

A record stands in the ring of one zone, begins on a multiple of ALIGNMENT and holds one batch::

    0            8              16             24        28        32        36        40        44
    | holder u64 | progress u64 | sequence u64 | name    | request | reply   | calls   | timed   |
    |            |              |              | length  | length  | room    | u32     | u32     |
    | function name, request, padding to 8 | reply extent ... padding to ALIGNMENT |

    holder:   | attempt, the lower 32 bits | worker, the upper 32 bits |
    progress: | call, the lower 20 bits | since when, in microseconds, the upper 44 bits |

The zone writes all of it but the worker, the progress and the reply extent, which belong to the
worker that holds the record's lock. The progress names the call that runs and its start, in
records that are ``timed``; in others it stays with the first call. ``sequence`` is never used
twice, so a descriptor of a record long freed finds another number there.

Holder and progress are read while another process writes them. Each is a word in the order of the
machine, which every CPU stores and loads at once. A zone never uses an attempt twice in a row at
one place, so who has a record's lock never takes a holder of the past for the present one.

A descriptor travels through a FIFO and is 32 bytes long: under PIPE_BUF, so that the kernel
writes it whole, and a divisor of the page, so that a reader of 32 bytes never gets two halves::

    | kind u16 | attempt u16 | ring u32 | offset u32 | length u32 | sequence u64 | worker u32 | 4 unused |
"""  # noqa: E501  the picture is as wide as a descriptor

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

ALIGNMENT: Final = 64
RECORD_HEADER: Final = struct.Struct("@QQQIIIII")
RECORD_HEADER_BYTES: Final = RECORD_HEADER.size
WORD: Final = struct.Struct("@Q")  # "@": as the machine stores it, all of it at once
HOLDER_OFFSET: Final = 0
PROGRESS_OFFSET: Final = 8
CONTENT: Final = struct.Struct("@QIIIII")  # what stays while the record stands
CONTENT_OFFSET: Final = 16
CALL_BITS: Final = 20
CALLS_MAX: Final = 1 << CALL_BITS  # of one batch
_CLOCK_MASK: Final = (1 << 64 - CALL_BITS) - 1
DESCRIPTOR: Final = struct.Struct("<HHIIIQI4x")
DESCRIPTOR_BYTES: Final = DESCRIPTOR.size
NO_WORKER: Final = 0
ATTEMPTS: Final = 1 << 16  # an attempt has 16 bits in a descriptor


class Kind(enum.IntEnum):
    """What a descriptor says. The upper byte tells it from anything else that lands in a FIFO."""

    CALLS = 0xC501  # zone to workers: this record waits for you
    REPLY = 0xC502  # worker to zone: the reply stands in the record's extent
    SPILLED = 0xC503  # worker to zone: the reply stands in a file of its own
    WORKER_DIED = 0xC505  # pool to zones: the worker of this number is no more
    WORKER_KILLED = 0xC506  # the same, and a zone asked for it because of a timeout
    READY = 0xC507  # worker to pool: I read descriptors from now on
    KILL = 0xC508  # zone to pool: the worker of this number has had a call for too long
    LOOK = 0xC509  # zone to pool: a batch is out for long, do the workers live?
    RESIZED = 0xC50B  # pool to zones: its workers are as many as the length says from now on
    HUNG = 0xC50C  # zone to pool: the worker of this number is at one batch for too long


KINDS: Final = frozenset(int(kind) for kind in Kind)


class Descriptor(NamedTuple):
    """The 32 bytes that travel, unpacked. What a kind does not use is 0."""

    kind: int
    attempt: int = 0
    ring: int = 0
    offset: int = 0
    length: int = 0
    sequence: int = 0
    worker: int = NO_WORKER


class RecordHeader(NamedTuple):
    """The first 48 bytes of a record, unpacked."""

    holder: int
    progress: int
    sequence: int
    name_length: int
    request_length: int
    reply_room: int
    calls: int
    timed: int

    @property
    def worker(self) -> int:
        """The worker that has it, or NO_WORKER."""
        return self.holder >> 32

    @property
    def current(self) -> int:
        """The call that runs."""
        return self.progress & CALLS_MAX - 1

    def runs_for_ns(self, now_ns: int) -> int:
        """How long it has been running."""
        return ((now_ns // 1000 - (self.progress >> CALL_BITS)) & _CLOCK_MASK) * 1000

    @property
    def request_offset(self) -> int:
        """Where the request begins, from the start of the record."""
        return RECORD_HEADER_BYTES + self.name_length

    @property
    def reply_offset(self) -> int:
        """Where the reply extent begins, from the start of the record."""
        return reply_offset(self.name_length, self.request_length)


def holder(attempt: int, worker: int = NO_WORKER) -> int:
    """The word that names the worker of a record."""
    return worker << 32 | attempt


def progress(call: int, now_ns: int) -> int:
    """The word that says which call runs since when."""
    return (now_ns // 1000 & _CLOCK_MASK) << CALL_BITS | call


def reply_offset(name_length: int, request_length: int) -> int:
    """Where the reply extent of such a record begins, from its start."""
    return (RECORD_HEADER_BYTES + name_length + request_length + 7) & ~7


def record_bytes(name_length: int, request_length: int, reply_room: int) -> int:
    """Bytes that a record takes in the ring, its padding included."""
    used = reply_offset(name_length, request_length) + reply_room
    return (used + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
