"""Killed at any moment, a run is gone on with: nothing is lost and nothing is paid twice."""

from __future__ import annotations

import pytest
from matrix import FULL, SCENARIOS, Matrix, Scenario, Story, sample, summary
from witness import Moment

SEED = 4
OWN = {"video": 20, "sweep": 10, "images": 6, "remix": 4, "sketches": 5, "batch": 10, "xai batch": 4}
"""How many of its own moments each scenario is killed at, when not all are asked for."""
TWICE = 5

VIDEO = [
    *(Moment("paid", phase) for phase in ("asked", "read", "committed", "half", "answered")),
    *(Moment("poll", phase) for phase in ("asked", "committed", "answered")),
    *(Moment("content", phase) for phase in ("asked", "committed", "half", "answered")),
]
IMAGE = [Moment("paid", phase) for phase in ("asked", "read", "committed", "half", "answered")]
SWEEP = [Moment("paid", phase, 3) for phase in ("asked", "read", "committed", "answered")]
BATCH = [
    *(Moment("paid", phase, number) for number in (1, 2) for phase in ("asked", "read", "committed", "answered")),
    *(Moment("content", phase) for phase in ("asked", "committed", "half", "answered")),
]
"""The first request that is sent with a body is the upload, the second creates the batch."""
SEEN_BY_SERVER = {
    "batch": BATCH,
    "xai batch": BATCH if FULL else BATCH[5:7] + BATCH[10:11],
    "video": VIDEO,
    "sweep": [*SWEEP, Moment("content", "half", 3)],
    "images": IMAGE,
    "sketches": IMAGE,
}
FINDING = [[Moment("paid", "committed"), Moment("list", phase)] for phase in ("asked", "half", "answered")]
"""A second kill, while the answer that the first one lost is looked for."""


@pytest.fixture
def matrix(tmp_path, render_cache, zygotes):
    return Matrix(tmp_path, render_cache, zygotes)


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def proven(stories: list[Story]) -> list[Story]:
    print(summary(stories))
    assert not (wrong := [text for story in stories for text in story.wrong]), "\n\n".join(wrong)
    return stories


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_a_process_that_dies_before_or_after_anything_it_does(matrix, name):
    scenario = named(name)
    moments = sample(matrix.moments(scenario), None if FULL else OWN[name], SEED)
    print(f"{name}: killed at {moments}")
    stories = proven(matrix.play(scenario, [[number] for number in moments]))
    # How many moments a process has depends a little on which of its runs is quicker, and on how often it asks.
    assert sum(story.kills for story in stories) >= len(stories) - max(2, len(stories) // 20)
    if name == "video":
        reached = {status for story in stories for status in story.reached}
        assert reached >= {"planned", "submitting", "submitted", "completed", "downloaded", "verified"}


@pytest.mark.parametrize("name", SEEN_BY_SERVER)
def test_a_process_that_dies_on_the_way_of_a_request_or_its_answer(matrix, name):
    moments = SEEN_BY_SERVER[name]
    stories = proven(matrix.play(named(name), [[moment] for moment in moments]))
    # A process may be quicker to end than the signal that follows its last answer.
    assert all(story.kills for story, moment in zip(stories, moments, strict=True) if moment.phase != "answered")


def test_a_lost_answer_is_found_again_although_the_search_dies_too(matrix):
    stories = proven(matrix.play(named("video"), FINDING))
    assert [(story.kills, story.jobs, story.uncertain) for story in stories] == [(2, 1, 0)] * len(FINDING)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("video", Moment("paid", "committed")),
        ("video", Moment("content", "half")),
        ("batch", Moment("paid", "committed", 2)),
        ("batch", Moment("content", "half")),
        *([("xai batch", Moment("content", "half"))] if FULL else []),
    ],
)
def test_a_resume_that_dies_before_or_after_anything_it_does(matrix, name, first):
    scenario = named(name)
    moments = sample(matrix.moments(scenario, [first]), None if FULL else TWICE, SEED)
    print(f"the resume is killed at {moments}")
    stories = proven(matrix.play(scenario, [[first, number] for number in moments]))
    assert sum(story.kills for story in stories) >= 2 * len(stories) - 2


def test_a_process_that_dies_between_two_images_keeps_the_first_and_pays_for_neither_again(matrix):
    scenario = named("images")
    trail = matrix.trail(scenario)
    second = [number for number, what in enumerate(trail, 1) if what.endswith("open run/image-1.part")]
    stories = proven(matrix.play(scenario, [[number] for number in second]))
    assert [story.jobs for story in stories] == [1] * len(second)
    assert any(story.cut for story in stories)
