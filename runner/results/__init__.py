"""What is known of runs that are over: read from disk, summed up, written as tables, and given to programs."""
