"""Importing this freezes all that lives. Only the fork server does, as the last of its imports.

What a server has imported is shared with its children until somebody writes to it, and a garbage
collection writes to every object it looks at. Frozen objects are not looked at, so a hundred
children go on sharing them.
"""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
