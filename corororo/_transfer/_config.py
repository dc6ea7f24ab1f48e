"""What a pool tells those who attach to it. Knows no behaviour."""

from __future__ import annotations

from typing import Literal

import msgspec

from corororo._exceptions import PoolClosed, SessionError
from corororo._ring import Session, write_file


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``pool.json``."""

    workers: int
    ring_bytes: int
    max_batch: int
    max_reply_bytes: int | None = None  # as much as the ring holds
    max_pending: int = 100_000
    hang_timeout: float | None = None
    format: Literal[3] = 3

    @property
    def reply_limit_bytes(self) -> int:
        """The size up to which a reply is accepted."""
        return self.ring_bytes if self.max_reply_bytes is None else self.max_reply_bytes

    @property
    def reply_limit_option(self) -> str:
        """What raises it."""
        return "ring_bytes" if self.max_reply_bytes is None else "max_reply_bytes"


def write_config(session: Session, config: PoolConfig) -> None:
    """Publish the figures, in place of earlier ones; raises PoolClosed where the pool is gone."""
    unfinished = session.config.with_suffix(".new")
    try:
        write_file(unfinished, msgspec.json.encode(config))
        unfinished.replace(session.config)  # whoever reads finds all of the old or of the new
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the pool is gone") from None


def read_config(session: Session) -> PoolConfig:
    """Raises PoolClosed where the pool is gone, SessionError where it is of another version."""
    try:
        return msgspec.json.decode(session.config.read_bytes(), type=PoolConfig)
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the pool is gone") from None
    except msgspec.DecodeError as error:
        raise SessionError(f"{session.config}: not the figures of a pool: {error}") from None
