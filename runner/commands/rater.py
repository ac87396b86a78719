"""Know who judges."""

from __future__ import annotations

import getpass

from runner.errors import ConfigError

_LONGEST_NAME = 80


def named_rater(given: str | None) -> str:
    """Return who judges: the name that is given, or the one that the user has here."""
    if given is None:
        try:
            return getpass.getuser()[:_LONGEST_NAME]
        except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
            return "me"
    name = given.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError("--rater takes a name of 1 to 80 characters", hint="--rater ann")
    return name
