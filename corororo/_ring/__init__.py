"""Bytes between processes: the ring, its memory, FIFOs and the session directory."""

from ._fifo import FifoReader as FifoReader
from ._fifo import FifoWriter as FifoWriter
from ._fifo import make_fifo as make_fifo
from ._fifo import remove_file as remove_file
from ._forks import told_after_fork as told_after_fork
from ._layout import ATTEMPTS as ATTEMPTS
from ._layout import CALLS_MAX as CALLS_MAX
from ._layout import NO_WORKER as NO_WORKER
from ._layout import Descriptor as Descriptor
from ._layout import Kind as Kind
from ._layout import RecordHeader as RecordHeader
from ._layout import record_bytes as record_bytes
from ._layout import reply_offset as reply_offset
from ._limits import explaining_open_files as explaining_open_files
from ._limits import is_out_of_files as is_out_of_files
from ._memory import RingMemory as RingMemory
from ._places import FoundSession as FoundSession
from ._places import candidate_bases as candidate_bases
from ._places import find_sessions as find_sessions
from ._places import free_bytes as free_bytes
from ._places import remove_session as remove_session
from ._places import remove_stale_sessions as remove_stale_sessions
from ._places import stale_sessions as stale_sessions
from ._ring import Ring as Ring
from ._ring import RingStatistics as RingStatistics
from ._session import Session as Session
