"""The figures of a run: saved, read back and summarised."""
