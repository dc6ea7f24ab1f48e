"""Phases of Coro-Roro's plan, each built on the one before."""
