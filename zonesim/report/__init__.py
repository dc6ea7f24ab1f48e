"""A saved run as figures and as one HTML page."""

import contextlib
import importlib
import logging
import os
from pathlib import Path

SETTINGS = Path(__file__).with_name("matplotlibrc")

# Matplotlib reads the settings of the working directory rather than those of the user, and fails
# where they, or MPLBACKEND, are invalid. If it fails here, so does each figure, which is reported.
os.environ["MPLBACKEND"] = "agg"
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no notes about its cache and fonts
with contextlib.suppress(Exception), contextlib.chdir(SETTINGS.parent):
    importlib.import_module("matplotlib")
