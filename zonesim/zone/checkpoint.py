"""A zone's state as a file: written whole or not at all, with the one before it kept.

Knows neither zones nor what a snapshot holds.

    0        8         12         16           24
    | magic  | version | checksum | body bytes | body …
    | 8s     | u32     | u32      | u64        | a Checkpoint as msgpack
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

MAGIC: Final = b"zonesave"
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sIIQ")


class CheckpointError(Exception):
    """A zone cannot go on from its checkpoint: one line that says why and what to do."""


class Checkpoint(msgspec.Struct, frozen=True):
    """A zone as it was between two ticks."""

    tick: int  # the last one that ran; -1 before the first
    world_hash: int  # of the world after that tick
    snapshot: bytes
    adopted: tuple[int, ...] = ()  # the latest arrivals of players that are in it, by number
    released: bytes | None = None  # players that have left it for another zone
    life: int = 0  # which of its lives it was in


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the one that stood there becomes the one before.

    Raises OSError where there is no room, and leaves what stood there. A process that dies at
    any moment leaves a whole checkpoint. There is no fsync: the death of a process is what a
    zone goes on after. A machine that fails takes /dev/shm along; on a disk it may tear the
    latest file, and the checksum tells.
    """
    body = msgspec.msgpack.encode(checkpoint)
    new = path.with_name(f"{path.name}.new")
    try:
        with open(new, "wb", opener=_open_private) as file:
            file.write(HEADER.pack(MAGIC, VERSION, crc32(body), len(body)) + body)
    except OSError:
        new.unlink(missing_ok=True)  # what is cut short would only hold on to the room
        raise
    # Only now, when the new one is whole: between the two moves the one before is all there is.
    if path.exists():
        path.replace(before(path))
    new.replace(path)


def load(path: Path) -> Checkpoint | None:
    """Return the latest whole checkpoint, or None where none was ever written.

    Raises CheckpointError where there are files but none of them can be used.
    """
    problems = []
    for file in (path, before(path)):
        try:
            return _unpack(file.read_bytes())
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{file.name} cannot be read ({error.strerror})")
        except ValueError as error:
            problems.append(f"{file.name} {error}")
    if not problems:
        return None
    raise CheckpointError(
        f"{path}: expected a whole checkpoint of version {VERSION}, found that "
        f"{' and '.join(problems)}; remove what is there to start the zone anew"
    )


def before(path: Path) -> Path:
    """Where the checkpoint before the latest is kept."""
    return path.with_name(f"{path.name}.before")


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # whatever umask the run was started with


def _unpack(data: bytes) -> Checkpoint:
    """The checkpoint of a file's bytes; ValueError where they are not one, whole."""
    if len(data) < HEADER.size:
        raise ValueError(f"holds only {len(data)} bytes")
    magic, version, checksum, body_bytes = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("is no checkpoint")
    if version != VERSION:
        raise ValueError(f"is of version {version}")
    body = memoryview(data)[HEADER.size :]
    if len(body) != body_bytes:
        raise ValueError(f"holds {len(body)} bytes after its header, not {body_bytes}")
    if crc32(body) != checksum:
        raise ValueError("does not match its checksum")
    return msgspec.msgpack.decode(body, type=Checkpoint)
