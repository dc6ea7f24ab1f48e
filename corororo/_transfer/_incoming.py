"""What comes back to a zone: replies, believed only where all of them is as it should be.

A reply is copied before it is looked at: whoever still writes into its extent changes nothing
any more. Then its length, its checksum and its contents are checked. Knows nothing of sending.
"""

from __future__ import annotations

import zlib

import msgspec

from corororo._exceptions import SessionError
from corororo._platform import explaining_open_files
from corororo._ring import Descriptor, Kind, Session, remove_file
from corororo.abc import WorkerUse

from ._batching import Batch
from ._codec import Codec, Reply
from ._lanes import Lane
from ._records import Records


class Incoming:
    """For one transfer."""

    def __init__(self, session: Session, number: int, records: Records) -> None:
        self._session = session
        self._number = number
        self._records = records
        self._use: dict[int, list[int]] = {}  # of each worker: batches, calls, busy ns
        self.stale = 0  # of attempts that were void already: dropped
        self.broken = 0
        self.spilled = 0

    def batch(self, descriptor: Descriptor) -> Batch | None:
        """The batch that is answered; None where it was given up, or answered already."""
        batch = self._records.find(descriptor.sequence)
        if batch is not None and batch.sent and batch.attempt == descriptor.attempt:
            return batch
        self.stale += 1
        if descriptor.kind == Kind.SPILLED:
            remove_file(self._session.spill(self._number, descriptor.sequence))
        return None

    def reply(self, batch: Batch, descriptor: Descriptor, lane: Lane) -> Reply | None:
        """What the worker replied; None where that is no reply to this batch."""
        try:
            data = self._data(batch, descriptor)
        except SessionError as error:  # it stands there, and cannot be opened
            remove_file(self._session.spill(self._number, batch.sequence))
            return _failed(batch, error)
        reply = None if data is None else _decode(batch, data, lane.codec)
        if data is None or reply is None:
            self.broken += 1
            return None
        lane.note_reply(len(data), reply)
        self._note_use(descriptor.worker, reply)
        return reply

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done so far."""
        return [WorkerUse(worker, *use) for worker, use in self._use.items()]

    def _data(self, batch: Batch, descriptor: Descriptor) -> bytes | None:
        """The bytes of a reply; None where they are not what the descriptor says."""
        if descriptor.kind == Kind.REPLY:
            if descriptor.length > batch.reply_room:
                return None
            data = self._records.reply(batch, descriptor.length)
        elif descriptor.kind == Kind.SPILLED:
            path = self._session.spill(self._number, descriptor.sequence)
            try:
                with explaining_open_files(f"the reply of {batch.function.name}"):
                    data = path.read_bytes()
            except OSError:  # forged: our workers write the file first
                return None
            remove_file(path)
            self.spilled += 1
        else:
            return None
        return data if zlib.crc32(data) == descriptor.checksum else None

    def _note_use(self, worker: int, reply: Reply) -> None:
        use = self._use.get(worker)
        if use is None:
            use = self._use[worker] = [0, 0, 0]
        use[0] += 1
        use[1] += len(reply.values)
        use[2] += reply.busy_ns


def _decode(batch: Batch, data: bytes, codec: Codec) -> Reply | None:
    """None where the bytes are no reply to this batch."""
    try:
        reply = codec.decode_reply(data)
    except msgspec.DecodeError:
        return None
    except Exception as error:  # a reply that is right, and more than this process can take
        return _failed(batch, error)
    return reply if len(reply.values) == len(batch.arguments) else None


def _failed(batch: Batch, error: Exception) -> Reply:
    """In place of a reply that this process cannot take."""
    calls = len(batch.arguments)
    return Reply(0, [None] * calls, dict.fromkeys(range(calls), error))
