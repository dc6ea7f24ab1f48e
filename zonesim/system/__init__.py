"""What the simulator asks of the operating system."""
