"""Comparison with the same program by hand and with other pools."""
