"""Find out whether a config would work, without spending anything."""
