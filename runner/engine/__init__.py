"""Execute runs: scheduling, limits and the way of each run from planned to verified."""
