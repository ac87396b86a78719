"""From what is typed to validated runs: Hydra once for each choice of groups, single values on its plain data."""
