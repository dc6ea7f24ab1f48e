"""The zone's side of a call: AsyncTasks encoded, batched, sent through the ring, and resumed."""

from corororo._views import keep as keep

from ._functions import AsyncTaskFunction as AsyncTaskFunction
from ._functions import async_task as async_task
from ._shared_ring import SharedRing as SharedRing
from ._shared_ring import TransferStatistics as TransferStatistics
from ._types import register_type as register_type
