"""The points of a sweep: a table's texts come out of composing as they went in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.compose.plan import Planner
from runner.compose.points import points
from runner.compose.slug import slug
from runner.providers.body import build


@pytest.fixture(scope="module")
def one_planner(loader, master) -> Planner:
    """A planner that has composed before: Hydra is not asked anew for each example."""
    return Planner(loader, master)


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=3, unique=True))
def test_any_text_is_composed_as_it_stands(loader, master, one_planner, tmp_path_factory, texts) -> None:
    table = tmp_path_factory.getbasetemp() / "exact.jsonl"
    table.write_text("\n".join(json.dumps({"prompt": text, "vars.mood": text}) for text in texts))
    config = master.copy()
    config.prompts = str(table)
    plan = one_planner.plan(points(loader, config, []).points)
    assert not plan.findings
    assert [(build(run.config).fields["prompt"], run.config.vars["mood"]) for run in plan.runs] == [
        (text, text) for text in texts
    ]


def test_directories_are_named_by_rows(loader, master, here) -> None:
    names = ["Fox & Co", "fox-co", "größe", "大きい", "con", "../../x", "a" * 300]
    (here / "shots.jsonl").write_text("\n".join(json.dumps({"id": name, "prompt": name}) for name in names))
    config = master.copy()
    config.prompts, config.hydra.sweep.subdir = "shots.jsonl", "${run.slug}"
    found = points(loader, config, ["model=sora-2,sora-2-pro", "hydra.sweep.subdir=${run.slug}"]).points
    plan = Planner(loader, config).plan(found)
    assert not plan.findings
    made = [run.directory.name for run in plan.runs]
    assert made[:4] == ["fox-co-sora-2", "fox-co-sora-2-pro", "fox-co-sora-2-2", "fox-co-sora-2-pro-2"]
    assert made[4] == "grosse-sora-2"
    assert len({*made}) == 14
    assert max(map(len, made)) < 70


def test_a_directory_s_name_tells_what_differs_within_a_row(loader, master, here) -> None:
    (here / "shots.csv").write_text("id,prompt\nfox,a fox\n")
    config = master.copy()
    config.prompts, config.hydra.sweep.subdir = "shots.csv", "${run.slug}"
    found = points(loader, config, ["++vars.style=noir,pastel"]).points
    assert [line for point in found for line in point if "run.slug" in line] == [
        "++run.slug='fox-noir'",
        "++run.slug='fox-pastel'",
    ]


@given(st.text())
def test_a_slug_is_a_safe_name(text) -> None:
    made = slug(text)
    assert made.isascii()
    assert made == made.lower().strip("-")
    assert not set(made) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
