"""What this machine can hold, and what is wrong with it. Prints nothing."""
