"""A run: its steps, its fleet of zone processes, its workers and the faults injected into it."""
