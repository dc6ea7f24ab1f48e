"""Patterns and targets of Coro-Roro's performance plan."""
