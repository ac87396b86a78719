"""Turn choices between two files into preference pairs, as trainers of preferences (DPO) read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .agreement import turned
from .judgements import FileKey, Judgements


@dataclass(frozen=True, slots=True)
class Preference:
    """Hold two files for one prompt, and how many chose each."""

    prompt: str
    chosen: FileKey
    rejected: FileKey
    chosen_votes: int
    rejected_votes: int


def preferences(judgements: Judgements, prompts: Mapping[FileKey, str]) -> Iterator[Preference]:
    """Yield what most raters chose of each two files; those with as many votes, or with two prompts, are left out.

    `prompts` has the text of each file that is known.
    """
    votes: dict[tuple[FileKey, FileKey], Counter[str]] = {}
    for each in judgements.pairs:
        one, other, outcome = turned(each)
        votes.setdefault((one, other), Counter())[outcome] += 1
    for (one, other), counts in votes.items():
        ahead = counts["left"] - counts["right"]
        if ahead and one in prompts and other in prompts and prompts[one] == prompts[other]:
            chosen, rejected = (one, other) if ahead > 0 else (other, one)
            most, least = max(counts["left"], counts["right"]), min(counts["left"], counts["right"])
            yield Preference(prompts[one], chosen, rejected, most, least)
