"""Measurements of the scheduler against what else there is. Nothing of the simulator runs here."""
