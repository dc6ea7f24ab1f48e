"""A scheduler whose coroutines stay on their thread while their heavy calls run in processes.

Tasks are plain coroutines, run in ticks on the thread that owns the Scheduler. Calls of functions
under ``@async_task`` are batched by themselves and travel to worker processes through shared
memory; the coroutine that awaits one never leaves its thread.
"""

from ._core import CancellationToken as CancellationToken
from ._core import Cancelled as Cancelled
from ._core import CancelScope as CancelScope
from ._core import Nursery as Nursery
from ._core import Scheduler as Scheduler
from ._core import SchedulerStatistics as SchedulerStatistics
from ._core import TickReport as TickReport
from ._core import checkpoint as checkpoint
from ._core import current_scheduler as current_scheduler
from ._core import fail_after as fail_after
from ._core import gather as gather
from ._core import move_on_after as move_on_after
from ._core import move_on_at as move_on_at
from ._core import open_nursery as open_nursery
from ._core import run_in_trio as run_in_trio
from ._core import sleep as sleep
from ._core import sleep_until as sleep_until
from ._exceptions import AsyncTaskFailed as AsyncTaskFailed
from ._exceptions import AsyncTaskTimeout as AsyncTaskTimeout
from ._exceptions import CorororoError as CorororoError
from ._exceptions import PoolClosed as PoolClosed
from ._exceptions import PoolFailed as PoolFailed
from ._exceptions import RemoteTraceback as RemoteTraceback
from ._exceptions import ReplyTooLarge as ReplyTooLarge
from ._exceptions import RequestTooLarge as RequestTooLarge
from ._exceptions import SessionError as SessionError
from ._exceptions import StaleHandle as StaleHandle
from ._exceptions import TooSlowError as TooSlowError
from ._exceptions import WorkerDied as WorkerDied
from ._garbage import SlackCollector as SlackCollector
from ._handles import Handle as Handle
from ._handles import HandlePool as HandlePool
from ._idle import AdaptiveSpin as AdaptiveSpin
from ._idle import Backoff as Backoff
from ._idle import BusySpin as BusySpin
from ._idle import Park as Park
from ._idle import Yielding as Yielding
from ._platform import SystemClock as SystemClock
from ._pool import AttachedPool as AttachedPool
from ._pool import PoolStatistics as PoolStatistics
from ._pool import WorkerPool as WorkerPool
from ._pool import WorkerStatus as WorkerStatus
from ._transfer import AsyncTaskFunction as AsyncTaskFunction
from ._transfer import async_task as async_task
from ._transfer import keep as keep
from ._transfer import register_type as register_type
