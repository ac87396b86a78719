"""What varies between runs, as axes, and what their configs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from runner.report.config_diff import LONGEST, ConfigDiff
from runner.report.page_model import axes_of


def test_axes_stand_in_the_users_order_and_values_in_that_of_the_runs(result, loaded):
    config = loaded("provider=openai")
    runs = []
    for number, (replica, prompt) in enumerate([(1, "b"), (1, "a"), (0, "b")]):
        lines = [f"replica={replica}", f"request.prompt={prompt}"]
        own = config.model_copy(update={"replica": replica})
        runs.append(result(number, config=own, prompt=prompt, overrides=lines))
    found = axes_of(runs, [0, 0, 0], ["sweep"])
    assert found.axes == [
        {"key": "replica", "name": "replica", "values": [1, 0]},
        {"key": "request.prompt", "name": "prompt", "values": ["b", "a"]},
    ]
    assert found.places == [[0, 0], [0, 1], [1, 0]]
    assert found.labels[1] == "replica=1 prompt=a"


def test_a_run_without_a_value_has_no_place_on_the_axis(result):
    runs = [result(0, overrides=["+request.seed=1"]), result(1), result(2)]
    runs[0] = runs[0].model_copy(
        update={
            "config": runs[0].config.model_copy(
                update={"request": runs[0].config.request.model_copy(update={"seed": 1})}
            )
        }
    )
    found = axes_of(runs, [0, 0, 0], ["sweep"])
    assert (found.axes[0]["values"], found.places) == ([1], [[0], [None], [None]])


def test_values_that_are_alike_stay_apart(result):
    prompts = ["x" * 5000 + "1", "x" * 5000 + "2", "1", "true"]
    found = axes_of([result(n, prompt=prompt) for n, prompt in enumerate(prompts)], [0] * 4, ["sweep"])
    values = found.axes[0]["values"]
    assert len({*values}) == 4
    assert max(map(len, values)) < 250
    assert found.places == [[0], [1], [2], [3]]


def test_several_sweeps_are_an_axis_and_keep_their_names(result):
    runs = [result(n, prompt=prompt) for n, prompt in enumerate("ab" * 2)]
    found = axes_of(runs, [0, 0, 1, 1], ["monday", "tuesday"])
    assert [axis["key"] for axis in found.axes] == ["request.prompt", "sweep"]
    assert found.places == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert found.labels == ["prompt=a", "prompt=b"] * 2
    assert len({*axes_of(runs, [0, 0, 1, 1], ["same", "same"]).axes[1]["values"]}) == 2


def test_a_sweep_that_did_not_choose_the_model_stands_where_its_model_is(result, loaded):
    pro = loaded("provider=openai", "model=sora-2-pro")
    runs = [result(0, overrides=["model=sora-2"]), result(1, config=pro, overrides=["model=sora-2-pro"]), result(2)]
    found = axes_of(runs, [0, 0, 1], ["one", "two"])
    assert (found.axes[0]["values"], [place[0] for place in found.places]) == (["sora-2", "sora-2-pro"], [0, 1, 0])


def test_how_a_call_behaved_is_no_axis(result, loaded):
    lines = ["progress=off", "budget.max_usd=3", "yes=true"]
    runs = [result(0, config=loaded("provider=openai", *lines), overrides=lines), result(1, prompt="b")]
    assert [axis["key"] for axis in axes_of(runs, [0, 0], ["sweep"]).axes] == ["request.prompt"]


def test_runs_that_are_all_alike_have_no_axes(result):
    found = axes_of([result(0), result(1)], [0, 0], ["sweep"])
    assert (found.axes, found.places, found.labels) == ([], [[], []], ["", ""])


def nested(flatten: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flatten.items():
        *above, name = key.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[name] = value
    return tree


@pytest.mark.parametrize(
    "variants",
    [
        [()],
        [("request.duration_seconds=4",), ("request.duration_seconds=8",), ("request.prompt=other",)],
        [("provider=openai",), ("provider=azure_openai", "model.deployment=mine"), ("provider=vllm_omni",)],
        [("model=gpt-image-2", "request=image"), ("model=sora-2",), ("model=dall-e-3", "request=image")],
        [("+request.extra_params.a=1",), ("+request.extra_params.a=1", "+request.extra_params.b.c=[2]"), ()],
        [("fallbacks=[{provider: openai}]",), ("budget.max_usd=3",), ("replica=2",)],
    ],
)
def test_what_is_shared_and_what_is_own_are_the_whole_config(loaded, variants):
    configs = [loaded(*overrides) for overrides in variants]
    found = ConfigDiff(configs)
    for number, config in enumerate(configs):
        assert nested(found.shared | found.own(number)) == config.model_dump(mode="json")
        assert not found.shared.keys() & found.own(number).keys()
    every = [found.own(number) for number in range(len(configs))]
    assert all(any(own.get(key, "none") != every[0][key] for own in every) for key in every[0])


def test_a_secret_in_a_config_is_masked_on_the_page(loaded):
    secret = "+request.extra_params.headers={Authorization: canary-1234, x: 1}"
    one, other = loaded(secret), loaded("request.prompt=other", "+request.extra_params.api_key=canary-5678")
    for found in (ConfigDiff([one]), ConfigDiff([one, other])):
        assert "canary" not in repr([found.shared, found.own(0)])
    assert "canary" not in repr(ConfigDiff([one, other]).own(1))
    assert ConfigDiff([one]).shared["request.extra_params.headers.Authorization"] == "***"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["+request.extra_params.api_key=canary-1", "+request.extra_params.api_key=canary-2"], "***"),
        (
            [f"+request.extra_params.headers={{Authorization: canary-{n}, seed: {n}}}" for n in range(2)],
            '{"Authorization": "***", "seed": 0}',
        ),
    ],
)
def test_a_secret_that_varies_is_masked_on_its_axis_and_stays_two_values(loaded, result, lines, shown):
    runs = [result(n, config=loaded("provider=openai", line), overrides=[line]) for n, line in enumerate(lines)]
    found = axes_of(runs, [0, 0], ["sweep"])
    assert "canary" not in repr(found)
    assert found.axes[0]["values"][0] == shown
    assert len({*found.axes[0]["values"]}) == 2
    assert [place[0] for place in found.places] == [0, 1]


def test_an_image_in_a_text_is_not_repeated_in_the_page(loaded):
    image = "data:image/png;base64," + "A" * LONGEST
    config = loaded()
    own = config.model_copy(update={"request": config.request.model_copy(update={"image_list": (image,)})})
    assert len(repr(ConfigDiff([config, own]).own(1))) < 1000
