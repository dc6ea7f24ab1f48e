"""A run while it goes on: the live table, plain log lines, and `zonesim top`."""
