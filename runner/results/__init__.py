"""Read runs that are over: from disk, summed up, written as tables, and given to programs."""
