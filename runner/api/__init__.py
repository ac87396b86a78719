"""Generate from Python with the command line's engine: one call at a time, or hundreds."""
