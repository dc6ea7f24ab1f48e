"""The processes of a pool: workers spawned, watched, replaced, resized and stopped."""

from ._options import usable_cpus as usable_cpus
from ._pool import AttachedPool as AttachedPool
from ._pool import WorkerPool as WorkerPool
from ._process import WorkerStatus as WorkerStatus
from ._process import forkserver as forkserver
from ._process import forkserver_pid as forkserver_pid
from ._process import kill_forkserver as kill_forkserver
from ._registry import PoolStatistics as PoolStatistics
