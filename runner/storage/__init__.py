"""Upload what runs have made to a storage, beside the sweep, and read sweeps from there."""
