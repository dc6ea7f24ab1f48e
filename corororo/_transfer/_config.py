"""The configuration file of a pool, which tells those who attach how to use it."""

from __future__ import annotations

from typing import Literal

import msgspec

from corororo._exceptions import PoolClosed, PoolFailed, SessionError
from corororo._ring import Session, write_file

OWNER_GONE = "the pool is closed, or its owner died, with AsyncTasks in flight"


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``pool.json``."""

    workers: int
    ring_bytes: int
    max_batch: int
    max_reply_bytes: int | None = None  # as much as the ring holds
    max_pending: int = 100_000
    hang_timeout: float | None = None
    format: Literal[4] = 4

    @property
    def reply_limit_bytes(self) -> int:
        """The largest reply that is accepted."""
        return self.ring_bytes if self.max_reply_bytes is None else self.max_reply_bytes

    @property
    def reply_limit_option(self) -> str:
        """The option that raises ``reply_limit_bytes``."""
        return "ring_bytes" if self.max_reply_bytes is None else "max_reply_bytes"


def write_config(session: Session, config: PoolConfig) -> None:
    """Replace the file atomically; raises PoolClosed if the pool is gone."""
    unfinished = session.config.with_suffix(".new")
    try:
        write_file(unfinished, msgspec.json.encode(config))
        unfinished.replace(session.config)
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the pool is gone") from None


def read_config(session: Session) -> PoolConfig:
    """Raises PoolClosed if the pool is gone, SessionError if it is of another version."""
    try:
        return msgspec.json.decode(session.config.read_bytes(), type=PoolConfig)
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the pool is gone") from None
    except msgspec.DecodeError as error:
        raise SessionError(f"{session.config}: not the configuration of a pool: {error}") from None


def owner_gone(session: Session) -> PoolClosed:
    """The error for a pool without an owner, with the reason if the pool gave up."""
    try:
        return PoolFailed(session.failure.read_text())
    except OSError:  # it was closed, or its owner was killed
        return PoolClosed(OWNER_GONE)
