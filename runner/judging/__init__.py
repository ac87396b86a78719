"""What people think of the files: records, what of them counts, and what follows from it."""
