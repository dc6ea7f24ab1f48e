"""A scenario: TOML read, checked and turned into steps, faults and limits."""
