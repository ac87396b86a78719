"""What varies between runs, as axes, and what their configs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from runner.artifacts.result import Result
from runner.config.request import InputImage
from runner.config.run import RunName
from runner.report.cell import LONGEST, ConfigDiff
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


@pytest.fixture
def of_rows(result, loaded):
    """A result for each run of a table's rows: (what was typed, id, table, prompt, other keys of the config)."""
    config = loaded("provider=openai")

    def make(*runs: tuple[tuple[str, ...], str, str, str, dict[str, Any]]) -> list[Result]:
        found = []
        for number, (typed, name, table, prompt, more) in enumerate(runs):
            lines = [*typed, f"++run.id={name}", f"++run.table={table}", f"++request.prompt='{prompt}'"]
            lines += [f"++{key}={value}" for key, value in more.items()]
            own = config.model_copy(
                update={
                    "run": RunName(id=name, table=table, line=number + 2),
                    "vars": {key.removeprefix("vars."): value for key, value in more.items()},
                }
            )
            found.append(result(number, config=own, prompt=prompt, overrides=lines))
        return found

    return make


def axes(results: list[Result]) -> dict[str, dict[str, Any]]:
    return {axis["key"]: axis for axis in axes_of(results, [0] * len(results), ["sweep"]).axes}


FILM = [("a", "a fox", "noir", "x"), ("b", "a whale", "noir", "y"), ("c", "a heron", "pastel", "z")]


def test_what_a_row_is_called_is_the_axis_of_all_its_cells(of_rows):
    runs = of_rows(*[
        ((f"replica={n}",), name, "shots.csv", prompt, {"vars.style": style, "vars.shot": shot})
        for n in range(2) for name, prompt, style, shot in FILM
    ])  # fmt: skip
    for run in runs:
        run.config = run.config.model_copy(update={"replica": int(run.overrides[0][-1])})
    found = axes(runs)
    assert [*found] == ["id", "replica", "vars.style"]
    assert found["id"]["values"] == ["a", "b", "c"]
    assert found["id"]["notes"] == ["a fox", "a whale", "a heron"]
    assert found["vars.style"]["of"] == "id", "it groups rows, and can be chosen"
    assert "of" not in found["replica"]
    labels = axes_of(runs, [0] * 6, ["sweep"]).labels
    assert labels[0] == "id=a prompt=a fox replica=0 vars.style=noir vars.shot=x"


def test_rows_of_two_tables_that_are_called_the_same_are_named_with_their_tables(of_rows):
    found = axes(of_rows(*[((), name, table, f"{table} {name}", {}) for table in ("a.csv", "b.csv") for name in "12"]))
    assert found["id"]["values"] == ["1 · a.csv", "2 · a.csv", "1 · b.csv", "2 · b.csv"]
    assert [*found] == ["id", "run.table"]
    assert found["run.table"]["of"] == "id"


def test_an_axis_that_was_swept_is_one_although_each_row_has_one_value_of_it(of_rows):
    found = axes(of_rows(*[((f"vars.shot={shot}",), name, "t", prompt, {}) for name, prompt, _, shot in FILM]))
    assert [*found] == ["id", "vars.shot"]
    assert "of" not in found["vars.shot"]


def test_templates_that_were_swept_over_are_an_axis_and_not_what_is_filled_into_them(of_rows):
    runs = of_rows(*[
        ((f"request.prompt='{{prompt}} at {hour}'",), name, "t", f"{prompt} at {hour}", {"vars.prompt": prompt})
        for name, prompt, *_ in FILM for hour in ("dawn", "dusk")
    ])  # fmt: skip
    runs += of_rows(((), "d", "t", "a lynx", {}))  # of another sweep, on the same page
    found = axes(runs)
    assert found["request.prompt"]["values"] == ["{prompt} at dawn", "{prompt} at dusk"]
    assert found["id"]["notes"] == ["a fox", "a whale", "a heron", "a lynx"]
    assert [*found] == ["id", "request.prompt"]


def test_a_prompt_that_words_fill_is_no_axis_beside_them(result, loaded):
    words, config = ("fox", "whale"), loaded("provider=openai")
    runs = [
        result(n, config=config.model_copy(update={"vars": {"animal": word}}), prompt=f"A {word}",
               overrides=["request.prompt='A {animal}'", f"vars.animal={word}"])
        for n, word in enumerate(words)
    ]  # fmt: skip
    assert axes(runs) == {
        "vars.animal": {"key": "vars.animal", "name": "vars.animal", "values": [*words], "notes": ["A fox", "A whale"]}
    }


def test_what_words_fill_is_of_them(result, loaded):
    runs = []
    for number, d in enumerate((4, 8)):
        config = loaded("provider=openai", f"request.duration_seconds={d}")
        config = config.model_copy(update={"vars": {"pair": {"d": d}}})
        lines = ["request.duration_seconds=${vars.pair.d}", f"vars.pair={{d:{d}}}"]
        runs.append(result(number, config=config, overrides=lines))
    found = axes(runs)
    assert [*found] == ["request.duration_seconds", "vars.pair"]
    assert found["request.duration_seconds"]["of"] == "vars.pair"
    assert "of" not in found["vars.pair"]


def test_a_file_of_a_prompt_is_an_axis_with_the_prompt_as_its_note(result):
    runs = [result(n, prompt=f"a {n}", overrides=[f"request.prompt_file={n}.txt"]) for n in range(2)]
    found = axes(runs)
    assert [*found] == ["request.prompt_file"]
    assert (found["request.prompt_file"]["values"], found["request.prompt_file"]["notes"]) == (
        ["0.txt", "1.txt"], ["a 0", "a 1"],
    )  # fmt: skip


def test_a_sweep_beside_a_table_keeps_its_prompts(of_rows, result):
    runs = [*of_rows(*[((), name, "t", prompt, {}) for name, prompt, *_ in FILM]), result(3, prompt="b"), result(4)]
    found = axes_of(runs, [0, 0, 0, 1, 1], ["table", "typed"])
    assert [axis["key"] for axis in found.axes] == ["id", "request.prompt", "run.table", "sweep"]


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


def test_a_prompt_that_a_word_carries_is_told_once_and_a_word_in_it_too(loaded):
    carried = [loaded(f"request.prompt='fox {number}'", f"+vars.prompt='fox {number}'") for number in range(2)]
    assert ConfigDiff(carried).own(0) == {"request.prompt": "fox 0"}
    inside = [loaded(f"request.prompt='fox {number}, at night'", f"+vars.prompt='fox {number}'") for number in range(2)]
    assert ConfigDiff(inside).own(0) == {"request.prompt": "fox 0, at night", "vars.prompt": "fox 0"}


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
    images = (InputImage(image=image),)
    own = config.model_copy(update={"request": config.request.model_copy(update={"image_list": images})})
    assert len(repr(ConfigDiff([config, own]).own(1))) < 1000
