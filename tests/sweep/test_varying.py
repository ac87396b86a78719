"""What tells runs apart is named as the user named it."""

from __future__ import annotations

from runner.compose.plan import Planner
from runner.results.varying import Varying, varying


def differing(planner: Planner, *jobs: list[str]) -> Varying:
    plan = planner.plan(jobs)
    assert plan.findings == []
    return varying([run.overrides for run in plan.runs], [run.config for run in plan.runs])


def test_keys_come_in_the_order_in_which_they_were_given(planner: Planner) -> None:
    found = differing(
        planner,
        ["request.size=1280x720", "model=sora-2", "request.duration_seconds=4", "request.aspect_ratio=null"],
        ["request.size=720x1280", "model=sora-2-pro", "request.duration_seconds=4", "request.aspect_ratio=null"],
    )
    assert found.keys == ("request.size", "model")
    assert found.rows == (("1280x720", "sora-2"), ("720x1280", "sora-2-pro"))


def test_values_are_the_runs_own_and_not_the_overrides_text(planner: Planner) -> None:
    found = differing(planner, ["request.prompt='a, b'"], ["request.prompt='c'"])
    assert found.rows == (("a, b",), ("c",))


def test_what_varies_without_having_been_named_follows(planner: Planner) -> None:
    found = differing(
        planner, *([f"request.duration_seconds={n}", "request.prompt='${hydra:job.num}th'"] for n in (4, 8))
    )
    assert found.keys == ("request.duration_seconds", "request.prompt")
    configs = [run.config for run in planner.plan([["request.prompt=a"], ["request.prompt=b"]]).runs]
    assert varying([[], []], configs).keys == ("request.prompt",)


def test_a_chosen_group_stands_for_all_that_it_changes(planner: Planner) -> None:
    found = differing(planner, ["request=draft"], ["request=landscape"])
    assert found.keys == ("request",)
    assert found.rows == (("draft",), ("landscape",))


def test_top_level_keys_vary_too(planner: Planner) -> None:
    assert differing(planner, ["replica=0"], ["replica=1"]).rows == ((0,), (1,))


def test_one_run_varies_in_nothing(planner: Planner) -> None:
    assert differing(planner, ["request.seed=null"]) == Varying((), ((),))


def test_a_prompts_file_is_told_as_it_was_typed_with_the_prompt_in_it(planner: Planner, tmp_path) -> None:
    for name in ("a b.txt", "c.txt"):
        (tmp_path / name).write_text(f"A boat of {name}")
    found = differing(planner, *([f"request.prompt_file='{tmp_path}/{name}'"] for name in ("a b.txt", "c.txt")))
    assert found.keys == ("request.prompt_file", "request.prompt")
    assert found.rows == tuple((f"{tmp_path}/{name}", f"A boat of {name}") for name in ("a b.txt", "c.txt"))
