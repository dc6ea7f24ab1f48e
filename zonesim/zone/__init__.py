"""One zone process: its zones, their schedules, checkpoints and reports."""
