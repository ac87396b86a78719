"""A vision model that judges files: what it is asked and paid for, what it answers, and what follows from that."""
