"""Hold what stands between the shell and Hydra: `.env`, slips of typing, single runs."""
