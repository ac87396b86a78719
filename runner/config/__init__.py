"""Describe what a user writes, as frozen objects, and check it without the network."""
