"""Hold what commands and the entry run: single runs, one composed config to look at, a host's models read anew."""
