"""The encoder of what travels between processes."""

from __future__ import annotations

from typing import Any

import msgspec


def encodable(value: Any) -> Any:
    """The encoder's hook for values that msgspec cannot encode: raises TypeError."""
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} cannot be encoded")


ENCODER = msgspec.msgpack.Encoder(enc_hook=encodable)
