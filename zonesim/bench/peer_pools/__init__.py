"""Other ways to have calls made in processes, each behind the same Protocol. Measures nothing."""
