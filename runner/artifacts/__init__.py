"""Write, check and record the files that a run leaves; every write is atomic."""
