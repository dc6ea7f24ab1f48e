"""The phases of Coro-Roro's plan below the library's ring, one file each.

Each rung is a pool for a Scheduler: ``with Direct(workers=2) as rung, cr.Scheduler(rung)``. It
carries the benchmark's own small calls, and neither failures of calls nor deaths of workers.
"""

from .batched import Batched as Batched
from .context import Context as Context
from .direct import Direct as Direct
from .handles import Handles as Handles
from .pooled import Pooled as Pooled
from .rung import Rung as Rung
from .slots import Slots as Slots
