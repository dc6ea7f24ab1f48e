"""`zonesim doctor`: what this machine can hold, and what is wrong with it."""
