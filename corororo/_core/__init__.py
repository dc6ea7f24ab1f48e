"""Coroutines and the Scheduler that drives them."""

from ._cancel import CancelScope as CancelScope
from ._cancel import Nursery as Nursery
from ._cancel import fail_after as fail_after
from ._cancel import move_on_after as move_on_after
from ._cancel import move_on_at as move_on_at
from ._cancel import open_nursery as open_nursery
from ._join import UnorderedMap as UnorderedMap
from ._join import gather as gather
from ._join import map_calls as map_calls
from ._scheduler import Scheduler as Scheduler
from ._scheduler import current_scheduler as current_scheduler
from ._stepper import Cancelled as Cancelled
from ._tick import SchedulerStatistics as SchedulerStatistics
from ._tick import TickReport as TickReport
from ._timers import CancellationToken as CancellationToken
from ._traps import awaited_twice as awaited_twice
from ._traps import checkpoint as checkpoint
from ._traps import explained as explained
from ._traps import run_in_trio as run_in_trio
from ._traps import run_nested as run_nested
from ._traps import sleep as sleep
from ._traps import sleep_until as sleep_until
