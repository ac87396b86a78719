"""Serve the videos and images API over HTTP, for use without a key and for tests."""
