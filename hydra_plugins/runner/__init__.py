"""The sweeper and launcher that Hydra finds by scanning; their cores are in `runner.sweeps`."""
