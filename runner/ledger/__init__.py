"""Keep what is known of runs durably: how far each has come, what it paid, and how to resume."""
