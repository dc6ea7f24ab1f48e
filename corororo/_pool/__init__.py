"""The processes of a pool: workers spawned, watched, replaced, resized and stopped."""

from ._pool import AttachedPool as AttachedPool
from ._pool import WorkerPool as WorkerPool
from ._registry import PoolStatistics as PoolStatistics
from ._spawner import WorkerStatus as WorkerStatus
