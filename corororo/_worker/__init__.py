"""Worker processes: their main function, their loop, and their end together with the owner."""
