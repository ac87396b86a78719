"""Name the directories of a sweep's runs by the rows of its table."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

SLUG = "run.slug"
"""The key by which `hydra.sweep.subdir` names a directory."""

_NO_LETTERS = re.compile(r"[^a-z0-9]+")
_RESERVED = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""What Windows takes for a device."""
_LONGEST = 60
"""Characters of a name, so that paths stay short on every system."""


def slugs(found: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a name for each point, all different: of its row's id, and of what tells it from others of that row.

    A point is given by its overrides.
    """
    chosen = [dict(line.lstrip("+").partition("=")[::2] for line in point) for point in found]
    keys = dict.fromkeys(key for choice in chosen for key in choice)
    ids = {choice.get("run.id") for choice in chosen}
    # A row's other cells are known by its name.
    varying = [key for key in keys if len({(choice.get("run.id"), choice.get(key)) for choice in chosen}) > len(ids)]
    taken: set[str] = set()
    for number, choice in enumerate(chosen):
        words = [choice.get("run.id"), *(choice.get(key) for key in varying)]
        if words[0] is not None and not slug(words[0]):
            words[0] = f"run-{number}"
        base = "-".join(filter(None, (slug(word.strip("'")) for word in words if word)))[:_LONGEST].strip("-")
        if not base or base.isdecimal() or _RESERVED.fullmatch(base):
            base = f"run-{base or number}"
        free = (base if count == 1 else f"{base}-{count}" for count in itertools.count(1))
        name = next(each for each in free if each not in taken)
        taken.add(name)
        yield name


def slug(text: str) -> str:
    """Return a text as a name that is safe in any file system: small Latin letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return _NO_LETTERS.sub("-", plain).strip("-")
