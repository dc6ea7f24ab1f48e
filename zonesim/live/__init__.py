"""A run in progress: the live table, plain log lines, and `zonesim top`."""
