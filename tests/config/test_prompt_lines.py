"""Whether a text of many lines is one prompt or many."""

from __future__ import annotations

import textwrap

import pytest

from runner.config.request import prompts_in

SUBJECTS = [
    "a red fox", "an old lighthouse at dusk", "two cats on a roof, snow", "a violin maker", "a paper boat at sea",
    "a market in the rain", "a train", "a dancer on an empty stage", "a field", "a kite", "a city", "a well",
]  # fmt: skip
PROSE = " ".join(f"The {word} moves slowly through the long grass while the light fades." for word in SUBJECTS)


@pytest.mark.parametrize("count", [6, 12])
def test_short_lines_may_be_as_many_prompts(count):
    assert prompts_in("\n".join(SUBJECTS[:count])) == count
    assert prompts_in("\r\n".join(f"  {line}. " for line in SUBJECTS[:count])) == count


@pytest.mark.parametrize("pattern", ["{} in snow", "A slow aerial shot of {:<20} at dawn, 35 mm film"])
def test_prompts_after_one_pattern_are_many_though_their_lines_end_alike(pattern):
    words = ["a fox", "a cat", "a dog", "an owl", "a bee", "a cow"]
    assert prompts_in("\n".join(pattern.format(word) for word in words)) == len(words)


@pytest.mark.parametrize("text", [
    "A red fox",
    "\n".join(SUBJECTS[:5]),
    textwrap.fill(PROSE, 72),
    textwrap.fill(PROSE, 100),
    "\n\n".join(SUBJECTS),
    "\n".join([*SUBJECTS, "x" * 161]),
    "\n".join(f"- {line}" for line in SUBJECTS),
    "\n".join(f"{number}. {line}" for number, line in enumerate(SUBJECTS)),
    "\n".join(f"Shot {number}: {line}" for number, line in enumerate(SUBJECTS)),
    "Style: film noir\nCamera: slow dolly\nLight: neon\nScene: an alley\nSound: rain\nMood: tense",
    '"Who is there?"\nA door opens.\n"Only me."\n"Come in."\n"It is late."\n"I know."',
])  # fmt: skip
def test_what_reads_as_one_prompt_is_one(text):
    assert prompts_in(text) == 1
