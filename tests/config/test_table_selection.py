"""Rows of a table are chosen by their cells, by chance, and by number."""

from __future__ import annotations

import pytest

from runner.config.table import read_table, selected
from runner.errors import ConfigError

ROWS = [
    {"id": f"{lang}-{number}", "prompt": "x", "lang": lang, "vars.style": style, "seed": number, "loud": number == 1}
    for number, (lang, style) in enumerate(
        [("en", "noir"), ("de", "noir"), ("en", "pop"), ("fr", None), ("en", "noir")]
    )
]


def chosen(**given) -> list[int]:
    return [row.number for row in selected(read_table(ROWS), **given).rows]


@pytest.mark.parametrize(("given", "numbers"), [
    ({}, [1, 2, 3, 4, 5]),
    ({"where": ""}, [1, 2, 3, 4, 5]),
    ({"where": "lang=en"}, [1, 3, 5]),
    ({"where": " lang = en , style=noir"}, [1, 5]),
    ({"where": "vars.style=pop"}, [3]),
    ({"where": "style="}, [4]),
    ({"where": "style=noir,"}, [1, 2, 5]),
    ({"where": "seed=3"}, [4]),
    ({"where": "loud=true"}, [2]),
    ({"limit": 2}, [1, 2]),
    ({"limit": 9}, [1, 2, 3, 4, 5]),
    ({"sample": 5}, [1, 2, 3, 4, 5]),
    ({"sample": 9, "limit": 1}, [1]),
    ({"where": "lang=en", "sample": 3, "limit": 2}, [1, 3]),
])  # fmt: skip
def test_rows_are_chosen(given, numbers):
    assert chosen(**given) == numbers


def test_a_sample_is_in_order_and_the_same_for_the_same_seed():
    samples = {tuple(chosen(sample=2, seed=seed)) for seed in range(30)}
    assert len(samples) > 3
    assert all(list(sample) == sorted(sample) and len(sample) == 2 for sample in samples)
    assert chosen(sample=2, seed=7) == chosen(sample=2, seed=7)
    assert set(chosen(sample=1, where="lang=en")) < {1, 3, 5}


def test_a_selection_keeps_ids_and_the_table():
    table = read_table(ROWS)
    some = selected(table, where="lang=fr")
    assert (some.name, some.sha256, some.columns) == (table.name, table.sha256, table.columns)
    assert [row.id for row in some.rows] == ["fr-3"]


def test_an_empty_column_is_known():
    table = read_table([{"prompt": "x", "style": None}])
    assert selected(table, where="style=") == table
    with pytest.raises(ConfigError) as caught:
        selected(table, where="style=noir")
    assert caught.value.hint == "its values: ''"


def test_long_values_are_shown_by_their_beginning():
    with pytest.raises(ConfigError) as caught:
        selected(read_table(["A fox runs. " * 20]), where="prompt=x")
    assert caught.value.hint == "its values: A fox runs. A fox runs. A fox runs. A…"


def test_a_condition_may_hold_a_comma():
    table = read_table([{"prompt": "x", "style": "noir, 35 mm", "lang": "en"}, "y"])
    assert [row.number for row in selected(table, where="style=noir, 35 mm,lang=en").rows] == [1]


def test_a_blank_id_is_none():
    assert [row.id for row in read_table([{"id": " ", "prompt": "x"}, {"id": True, "prompt": "x"}]).rows] == [
        "1",
        "true",
    ]


def test_nested_values_are_chosen_by():
    table = read_table([{"prompt": "x", "vars": {"style": "noir"}}, {"prompt": "y"}])
    assert [row.number for row in selected(table, where="style=noir").rows] == [1]
    assert [row.number for row in selected(table, where="vars.style=").rows] == [2]


@pytest.mark.parametrize(("given", "message", "hint"), [
    ({"where": "stile=noir"}, "where: prompts has no column stile", "did you mean style?"),
    ({"where": "zzz="}, "where: prompts has no column zzz", "its columns: id, prompt, lang, style"),
    ({"where": "lang=it"}, "where: no row of prompts has lang=it", "its values: en, de, fr"),
    ({"where": "lang=de,style=pop"}, "where: none of the rows that are left has style=pop", "its values: noir"),
    ({"where": "id=en"}, "where: no row of prompts has id=en", "its values: en-0, de-1, en-2, fr-3, en-4"),
    ({"where": "lang=en, lang"}, "where: no row of prompts has lang=en, lang", "its values: en, de, fr"),
    ({"where": "lang"}, "where: 'lang' is no COLUMN=VALUE", "lang=en"),
    ({"where": "lang=en,lang=de"}, "where: lang stands twice", ""),
    ({"limit": 0}, "limit=0 keeps no row of prompts", "limit=1"),
    ({"sample": -1}, "sample=-1 keeps no row of prompts", "sample=1"),
])  # fmt: skip
def test_a_wrong_selection_is_refused(given, message, hint):
    with pytest.raises(ConfigError) as caught:
        chosen(**given)
    assert message in caught.value.message
    assert hint in caught.value.hint
