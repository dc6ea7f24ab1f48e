"""AsyncTasks in worker processes: the only room that knows both coroutines and processes."""

from ._functions import AsyncTaskFunction as AsyncTaskFunction
from ._functions import async_task as async_task
from ._idle import AdaptiveSpin as AdaptiveSpin
from ._idle import Backoff as Backoff
from ._idle import BusySpin as BusySpin
from ._idle import Park as Park
from ._idle import Yielding as Yielding
from ._options import usable_cpus as usable_cpus
from ._pool import AttachedPool as AttachedPool
from ._pool import WorkerPool as WorkerPool
from ._process import WorkerStatus as WorkerStatus
from ._process import forkserver as forkserver
from ._process import forkserver_pid as forkserver_pid
from ._process import kill_forkserver as kill_forkserver
from ._roster import PoolStatistics as PoolStatistics
from ._transfer import SharedRing as SharedRing
from ._transfer import TransferStatistics as TransferStatistics
from ._views import keep as keep
