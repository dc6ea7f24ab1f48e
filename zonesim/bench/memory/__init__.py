"""Memory of Tasks, processes and rings."""
