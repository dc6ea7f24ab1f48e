"""Coroutines, and who runs them. Knows no processes."""

from ._garbage import SlackCollector as SlackCollector
from ._inline import Inline as Inline
from ._inline import run_calls as run_calls
from ._inline import run_nested as run_nested
from ._join import gather as gather
from ._join import map_calls as map_calls
from ._report import SchedulerStatistics as SchedulerStatistics
from ._report import TickReport as TickReport
from ._scheduler import Scheduler as Scheduler
from ._traps import call_async as call_async
from ._traps import checkpoint as checkpoint
from ._traps import current_scheduler as current_scheduler
