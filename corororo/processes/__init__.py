"""Process plumbing for programs that embed the library.

The forkserver that workers come from, process titles and states, stack dumps, the limit on open
files, and the session directories on this machine.
"""

from corororo._platform import HAS_AFFINITY as HAS_AFFINITY
from corororo._platform import HAS_FALLOCATE as HAS_FALLOCATE
from corororo._platform import HAS_MEMORY_FILES as HAS_MEMORY_FILES
from corororo._platform import HAS_PROC as HAS_PROC
from corororo._platform import HAS_SIGIO as HAS_SIGIO
from corororo._platform import HAS_TITLES as HAS_TITLES
from corororo._platform import raise_open_file_limit as raise_open_file_limit
from corororo._platform import usable_cpus as usable_cpus
from corororo._ring import FoundSession as FoundSession
from corororo._ring import candidate_bases as candidate_bases
from corororo._ring import find_sessions as find_sessions
from corororo._ring import free_bytes as free_bytes
from corororo._ring import is_left_behind as is_left_behind
from corororo._ring import owner_lives as owner_lives
from corororo._ring import remove_session as remove_session
from corororo._ring import stale_sessions as stale_sessions
from corororo._ring import temporary_directory as temporary_directory

from ._forkserver import StartedProcess as StartedProcess
from ._forkserver import forkserver as forkserver
from ._forkserver import forkserver_pid as forkserver_pid
from ._forkserver import kill_forkserver as kill_forkserver
from ._process import ANSWER_S as ANSWER_S
from ._process import DEAD as DEAD
from ._process import STACK_CHARACTERS as STACK_CHARACTERS
from ._process import STACK_SIGNAL as STACK_SIGNAL
from ._process import dump_stacks_on_signal as dump_stacks_on_signal
from ._process import is_dead as is_dead
from ._process import is_stopped as is_stopped
from ._process import process_state as process_state
from ._process import read_stacks as read_stacks
from ._process import set_title as set_title
