"""Generation from Python: the same engine as the command line's, one call at a time or hundreds."""
