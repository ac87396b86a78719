"""Turn what is typed into validated runs: Hydra composes each choice of groups, values are set on plain data."""
