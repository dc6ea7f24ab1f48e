"""What a pool tells those who attach to it. Knows no behaviour."""

from __future__ import annotations

import msgspec

from corororo._exceptions import PoolClosed, SessionError
from corororo._ring import Session


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``pool.json``."""

    workers: int
    ring_bytes: int
    max_batch: int
    max_reply_bytes: int
    format: int = 1


def write_config(session: Session, config: PoolConfig) -> None:
    """Publish the figures; before anybody can attach."""
    session.config.write_bytes(msgspec.json.encode(config))


def read_config(session: Session) -> PoolConfig:
    """Raises PoolClosed where the pool is gone, SessionError where it is of another version."""
    try:
        return msgspec.json.decode(session.config.read_bytes(), type=PoolConfig)
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the pool is gone") from None
    except msgspec.DecodeError as error:
        raise SessionError(f"{session.config}: not the figures of a pool: {error}") from None
