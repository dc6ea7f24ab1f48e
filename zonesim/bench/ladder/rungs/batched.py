"""Phase 2.4: calls travel in batches, one message for each."""

from __future__ import annotations

from .pooled import Pooled


class Batched(Pooled):
    """As Pooled, with many calls in a message: system calls hardly count any more."""

    calls_together = 64
    messages_out = 4
