"""Show runs on the terminal: while they are under way, and when they have ended."""
