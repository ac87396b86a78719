"""Metrics: numbers that are computed from what was made, in a process of their own, and kept in `scores.jsonl`."""
