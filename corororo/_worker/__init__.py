"""The worker's side of a call: the loop of a worker process, and what it does while idle."""
