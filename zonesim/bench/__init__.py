"""Benchmarks of the scheduler: the spectrum, the ladder, peers, and memory."""
