"""Zone processes as the controller runs them: start, heartbeat, restart, quarantine."""
