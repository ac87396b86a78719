"""Tables of prompts: what is read exactly, what is refused, and which rows are chosen."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.config import table_file
from runner.config.table import Table, read_table, values_of
from runner.config.table_file import TableFile
from runner.config.table_format import from_objects, parse, sniffed
from runner.errors import ConfigError

letters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(letters, min_size=1).filter(str.strip)
biting = st.text(st.sampled_from(",;\t\"'\n\r\u2028\x85\x0b\x0c ${}#:-é\ufeff\U0001f469\u200d[]"), min_size=1).filter(
    str.strip
)
several = st.lists(texts | biting, min_size=1, max_size=8)


def prompts(text: str, ending: str) -> list[str]:
    """The prompts that the bytes of a file give."""
    file = TableFile("shots", text.encode(), ending, Path())
    _, records = parse(file.text(exact=ending in (".csv", ".tsv")), ending, "shots")
    return [cells["prompt"] for _, cells in records]


@pytest.fixture
def put(tmp_path):
    def write(content, name="shots.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(name, tmp_path)

    return write


@pytest.fixture
def refusal(put):
    def refused(content, name="shots.csv"):
        with pytest.raises(ConfigError) as caught:
            put(content, name)
        assert caught.value.hint
        return caught.value

    return refused


def cells(table: Table) -> list[dict]:
    return [dict(row.cells) for row in table.rows]


# --- exactness


@given(several, st.sampled_from(["\r\n", "\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@example(["a\r\nb", " a ", 'say "no"', "a\rb", "${x}"], "\r\n", csv.QUOTE_MINIMAL)
def test_what_csv_writes_is_read_exactly(written, end, quoting):
    if end == "\n" and "\r" in "".join(written):
        quoting = csv.QUOTE_ALL  # Python 3.11 quotes only what its own line ends are
    for ending, dialect in ((".csv", "excel"), (".tsv", "excel-tab")):
        out = io.StringIO(newline="")
        writer = csv.writer(out, dialect, lineterminator=end, quoting=quoting)
        writer.writerows([["id", "prompt"], *([number, text] for number, text in enumerate(written))])
        assert prompts(out.getvalue(), ending) == written


@given(several)
def test_what_json_writes_is_read_exactly(written):
    for plain in (True, False):
        dump = json.JSONEncoder(ensure_ascii=plain, indent=None).encode
        assert prompts(dump(written), ".json") == written
        assert prompts(json.dumps([{"prompt": text} for text in written], indent=1, ensure_ascii=plain), ".json") == (
            written
        )
        assert prompts("\n".join(dump({"prompt": text}) for text in written), ".jsonl") == written
        assert prompts("\r\n".join(map(dump, written)), ".jsonl") == written


@given(several)
@example(["16:9", "007", "no", "2024-01-01", "~", "1e3", "0x1F"])
def test_what_yaml_writes_is_read_exactly(written):
    assert prompts(yaml.safe_dump(written), ".yaml") == written
    kept = [text for text in written if not set(text) & set("\x85\u2028\u2029")]
    dumped = yaml.safe_dump([{"prompt": text} for text in kept] or ["x"], allow_unicode=True)
    assert prompts(dumped, ".yaml") == (kept or ["x"])


@given(st.lists(st.text(letters).map(lambda text: text.strip().replace("\n", "").replace("\r", "")).filter(str.strip)))
def test_a_line_of_text_is_a_prompt_exactly(written):
    written = [line for line in (each.strip().lstrip("\ufeff") for each in written) if line.strip("-")]
    if sniffed("\n".join(written)) in (".txt", ".json"):
        for end in ("\n", "\r\n", "\r", "\n\n"):
            assert prompts(end.join(written), ".txt") == [line.strip() for line in written if line.strip()]


@given(several)
def test_a_list_of_a_config_is_taken_as_it_is(written):
    assert [row.cells["prompt"] for row in read_table(written, Path("nowhere")).rows] == written


# --- formats


def test_a_csv_gives_cells_ids_and_places(put):
    table = put('id,prompt,seed\r\nfox,"A fox,\r\nred", 7\r\n,A crow,\r\n\r\n,,\r\nowl, An owl ,3')
    assert table.columns == ("id", "prompt", "seed")
    assert cells(table) == [
        {"id": "fox", "prompt": "A fox,\r\nred", "seed": " 7"},
        {"prompt": "A crow"},
        {"id": "owl", "prompt": " An owl ", "seed": "3"},
    ]
    assert [(row.number, row.line, row.id) for row in table.rows] == [(1, 2, "fox"), (2, 4, "2"), (3, 7, "owl")]
    assert table.rows[1].place == "shots.csv, line 4"


@pytest.mark.parametrize("content", [
    "prompt\nA fox\nAn owl", '"prompt"\r\n"A fox"\r\n"An owl"\r\n', "prompt\rA fox\rAn owl",
    b"\xef\xbb\xbfprompt\nA fox\nAn owl", "\n prompt \nA fox\nAn owl", "prompt\nA fox\nAn owl".encode("utf-16"),
])  # fmt: skip
def test_a_csv_may_have_any_line_ends_and_a_mark(put, content):
    assert [row.cells["prompt"] for row in put(content).rows] == ["A fox", "An owl"]


def test_line_ends_within_quotes_are_text(put):
    for end in ("\r", "\n", "\r\n"):
        table = put(end.join(["prompt", '"a\nb\rc\r\nd"', "e"]))
        assert [row.cells["prompt"] for row in table.rows] == ["a\nb\rc\r\nd", "e"]


def test_separators_within_quotes_are_text(put):
    assert put('"a;b",prompt\n1,x').columns == ("a;b", "prompt")
    assert put("prompt\tseed\nA fox, red\t1", "SHOTS.TSV").rows[0].cells == {"prompt": "A fox, red", "seed": "1"}


def test_a_text_is_a_prompt_a_line(put):
    table = put("A fox, red\u2028x\r\n\r\n  An owl\t\nrun\x85", "shots.txt")
    assert cells(table) == [{"prompt": "A fox, red\u2028x"}, {"prompt": "An owl"}, {"prompt": "run"}]
    assert [row.line for row in table.rows] == [1, 3, 4]
    assert put("A fox", "shots").columns == ("prompt",)


def test_lines_of_three_dashes_part_prompts_of_several_lines(put):
    table = put("---\n\nA fox.\n\n  It runs.\n\n---\n---\nAn owl -- at dawn\n--- \n", "shots.txt")
    assert [(row.line, row.cells["prompt"]) for row in table.rows] == [
        (3, "A fox.\n\n  It runs."), (9, "An owl -- at dawn"),
    ]  # fmt: skip


def test_json_and_yaml_keep_values_and_leave_empty_ones_out(put):
    last = {"id": 1.5, "prompt": "x", "seed": None, "lang": ""}
    rows = [{"prompt": "A fox", "seed": 7, "vars": {"style": "noir"}}, "An owl", last]
    wanted = [
        {"prompt": "A fox", "seed": 7, "vars": {"style": "noir"}},
        {"prompt": "An owl"},
        {"id": 1.5, "prompt": "x"},
    ]
    for content, name in (
        (json.dumps(rows, indent=1), "a.json"),
        ("\n\n".join(map(json.dumps, rows)), "a.jsonl"),
        (yaml.safe_dump(rows, sort_keys=False), "a.yaml"),
    ):
        table = put(content, name)
        assert cells(table) == wanted
        assert table.columns == ("prompt", "seed", "vars", "id", "lang")
        assert [row.id for row in table.rows] == ["1", "2", "1.5"]


def test_the_lines_of_objects_are_known(put):
    assert [row.line for row in put('\n[\n "a",\n\n {"prompt":\n "b"}, "c"]\n', "a.json").rows] == [3, 5, 6]
    assert [row.line for row in put('{"prompt": "a"}\n\n"b"', "a.jsonl").rows] == [1, 3]
    assert [row.line for row in put("# a list\n- prompt: a\n  seed: 1\n-\n  prompt: b\n- c", "a.yml").rows] == [2, 5, 6]


def test_yaml_keeps_as_text_what_yaml_1_1_would_make_another_value(put):
    table = put(
        "- {prompt: a, aspect_ratio: 16:9, id: 007, lang: no, when: 2024-01-01, x: 1_000, b: true, f: 1.5}", "a.yaml"
    )
    assert cells(table)[0] == {"prompt": "a", "aspect_ratio": "16:9", "id": "007", "lang": "no", "when": "2024-01-01",
                               "x": "1_000", "b": True, "f": 1.5}  # fmt: skip


def test_yaml_may_share_keys(put):
    table = put("- &base {prompt: a, seed: 1}\n- {<<: *base, seed: 2}", "a.yaml")
    assert cells(table) == [{"prompt": "a", "seed": 1}, {"prompt": "a", "seed": 2}]


def test_a_list_of_a_config_is_a_table():
    table = read_table([{"prompt": "a", "id": "x"}, "b"])
    assert (table.name, table.columns) == ("prompts", ("prompt", "id"))
    assert [row.line for row in table.rows] == [None, None]
    assert table.rows[1].place == "prompts, row 2"
    assert table.sha256 == read_table([{"id": "x", "prompt": "a"}, "b"]).sha256 != read_table(["b"]).sha256


def test_the_hash_is_of_the_bytes(put):
    assert put("prompt\na").sha256 != put("prompt\r\na").sha256


def test_ten_thousand_rows_are_read(put):
    table = put("prompt,seed\n" + "".join(f'"A fox, {number}",{number}\n' for number in range(10_000)))
    assert len(table.rows) == 10_000
    assert table.rows[-1].cells == {"prompt": "A fox, 9999", "seed": "9999"}
    assert {id(column) for row in table.rows for column in row.cells} == set(map(id, table.columns))


def test_columns_are_told_in_the_order_of_their_appearance():
    assert from_objects([(None, {"b": 1}), (None, {"a": 2, "b": 3})], "x")[0] == ("b", "a")


# --- where it is read from


@pytest.fixture
def piped(monkeypatch):
    def pipe(content):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    table_file._piped.cache_clear()
    yield pipe
    table_file._piped.cache_clear()


@pytest.mark.parametrize(("content", "wanted"), [
    ("A fox\nAn owl", [{"prompt": "A fox"}, {"prompt": "An owl"}]),
    ("A fox, at dawn; an owl\n", [{"prompt": "A fox, at dawn; an owl"}]),
    ("\nprompt\nA fox", [{"prompt": "A fox"}]),
    ("id,subject\n1,fox", [{"id": "1", "subject": "fox"}]),
    ("prompt\tseed\nA, b\t1", [{"prompt": "A, b", "seed": "1"}]),
    (' {"prompt": "A fox"}\n"b"', [{"prompt": "A fox"}, {"prompt": "b"}]),
    ('["A fox"]', [{"prompt": "A fox"}]),
    ("- prompt: A fox", [{"prompt": "A fox"}]),
    ("- A fox", [{"prompt": "- A fox"}]),
])  # fmt: skip
def test_standard_input_is_told_by_its_text_and_read_once(piped, content, wanted):
    piped(content)
    table = read_table("-")
    assert cells(table) == wanted
    assert table.name == "-"
    assert table.rows[0].place.startswith("standard input, line ")
    assert read_table("-") == table


def test_a_pipe_is_read_once_as_standard_input_is(piped):
    end, begin = os.pipe()
    os.write(begin, b"prompt\nA fox")
    os.close(begin)
    table = read_table(f"/dev/fd/{end}")
    assert cells(table) == [{"prompt": "A fox"}]
    assert read_table(f"/dev/fd/{end}") == table
    os.close(end)


def test_a_terminal_is_no_table(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigError, match="nothing is piped"):
        read_table("-")


def test_a_file_is_named_from_where_one_stands_or_home(put, tmp_path, monkeypatch):
    table = put("prompt\na", "sub/shots.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_table("sub/shots.csv") == table
    assert read_table("~/sub/shots.csv").sha256 == table.sha256
    assert read_table(str(tmp_path / "sub" / "shots.csv")).rows[0].cells == table.rows[0].cells


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path, piped, monkeypatch):
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(ConfigError, match=r"big\.csv has 200 MB, and a table of prompts has at most 50 MB"):
        read_table("big.csv", tmp_path)
    monkeypatch.setattr(table_file, "LIMIT", 1_000_000)
    piped("x" * 1_000_001)
    for _ in range(2):
        with pytest.raises(ConfigError, match="standard input has more than 1 MB"):
            read_table("-")


@pytest.mark.parametrize(("source", "message", "hint"), [
    ("shot.csv", "there is no file shot.csv in ", "did you mean shots.csv?"),
    ("none/zzz.csv", "there is no file none/zzz.csv", "names a file"),
    ("A red fox", "prompts= names a file of prompts, and 'A red fox' is no file", "\"request.prompt='A red fox'\""),
    ("Say 'no'! " * 99, "prompts= names a file of prompts", "request.prompt="),
    ("/", "/ is a directory", ""),
    (".", ". is a directory, and a table is one file", "prompts=shots.csv"),
    ("a\0b", "cannot be read", "names a file"),
    ("~nobody-of-this-name/shots.csv", "cannot be read", "names a file"),
    ("x" * 5000, "cannot be read", "names a file"),
])  # fmt: skip
def test_what_is_no_file_is_refused(put, tmp_path, source, message, hint):
    put("prompt\na")
    with pytest.raises(ConfigError) as caught:
        read_table(source, tmp_path)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.message) < 400


# --- wrong tables


@pytest.mark.parametrize(("content", "message", "hint"), [
    ("A red fox, at dawn\nAn owl, at dusk", "line 1: its first line must name the columns", "prompt,seed"),
    ("A red fox\nAn owl", "line 1: its first line must name the columns", ""),
    ("\n\nprompt;seed\nA fox;1", "line 3: its columns are separated by semicolons; commas are read", "'Unicode Text'"),
    ("prompt\tseed\nA fox\t1", "line 1: its columns are separated by tabs", ".tsv"),
    ('"prompt";"seed"\n"A fox, red";1', "line 1: its columns are separated by semicolons; commas are read", ".tsv"),
    ('\n"prompt"\t"seed"\n"A fox"\t1', "line 2: its columns are separated by tabs", ".tsv"),
    ('"prompt","a "b",c;d"\n', "line 1: a quote closes a cell of this row", "doubled"),
    ('prompt\n"a";"b"\n', "line 2: a quote closes a cell of this row", "doubled"),
    ("sep=;\nprompt;seed\nA fox;1", "line 1: its first line must name the columns", "only Excel"),
    ("prompt,,seed\n", "line 1: column 2 has no name", "remove"),
    ("prompt,seed,prompt \n", "line 1: two columns are named prompt", "rename"),
    ("prompt,seed\na,1\n\nA fox, red,1", "line 4: has 3 cells for 2 columns", "quote a cell that holds a comma"),
    ("prompt\nA fox, red", "line 2: has 2 cells for 1 column", "quote"),
    ('prompt,seed\n"a\nb",1\nA fox', "line 4: has 1 cell for 2 columns", "empty ones too"),
    ('prompt\na\n"A fox\nb\n', "line 3: a quote opens a cell of this row, and nothing closes it", "doubled"),
    ('prompt\n"A "red" fox"\n', "line 2: a quote closes a cell of this row, and more text follows it", "doubled"),
    ("prompt\na\nA fox\rruns\n", "line 3: a carriage return stands in a cell of this row", ""),
    (f'prompt\n"{"x" * 200_000}"', "line 2: a cell has more than 131,072 characters", ""),
    ("", "is empty", ""),
    (" \n\n", "is empty", ""),
    ("prompt,seed\n,\n", "holds no row below its first line", "add a row"),
    ("id,prompt\na,x\nb,y\n a ,z", "line 4: has the id a of shots.csv, line 2", "its own id"),
    ("id,prompt\n2,x\n,y", "line 3: has the id, or number without one, 2 of shots.csv, line 2", ""),
    (b"prompt\na\nb\xe9", "byte 10 (counted from 0, in line 3) is 0xe9", "save it as UTF-8"),
    (b"\xff\xfea", "is no UTF-16 text", "save it as UTF-8"),
    (b"\xff\xfe\0\0a\0\0\0", "is saved as UTF-32", "save it as UTF-8"),
    (b"PK\x03\x04\0\0", "no text", ""),
])  # fmt: skip
def test_a_wrong_csv_is_refused(refusal, content, message, hint):
    error = refusal(content)
    assert error.message.startswith("shots.csv")
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(("name", "content", "message", "hint"), [
    ("a.tsv", "prompt,seed\na,1", "line 1: its columns are separated by commas; tabs are read", ".csv"),
    ("a.tsv", "prompt\tseed\na", "line 2: has 1 cell for 2 columns", "tabs"),
    ("a.txt", "prompt,seed\nA fox,1", "line 1: names columns", ".csv"),
    ("a.txt", "prompt\tseed\nA fox\t1", "line 1: names columns", ".tsv"),
    ("a.txt", "Prompt\nA fox", "line 1: names columns", ".csv"),
    ("a.txt", "- prompt: A fox", "line 1: names columns", ".yaml"),
    ("a.md", '{"prompt": "A fox"}', "line 1: names columns", ".jsonl"),
    ("a.xlsx", "PK", "is a workbook", "CSV in UTF-8"),
    ("a.rtf", "{\\rtf1", "is a document", "plain text"),
    ("a.txt", "\n \n", "is empty", ""),
    ("a.jsonl", '{"prompt": "a"}\n{"prompt": a}', "line 2: is no JSON at column 12: expecting value", "each line"),
    ("a.jsonl", '{\n "prompt": "a"\n}', "line 1: is no JSON at column 2", ".json"),
    ("a.jsonl", '"a"\n7', "line 2: this row is a number, and a row is a mapping", "{"),
    ("a.jsonl", '{"seed": NaN}', "line 1: holds NaN, which is no number", ""),
    ("a.jsonl", '{"x": [1e999]}', "line 1: x is inf, which is no number", ""),
    ("a.jsonl", '{"x": ' + "9" * 5000 + "}", "line 1: holds a number with too many digits", ""),
    ("a.jsonl", '{"prompt": "\\ud83d"}', "line 1: prompt holds half a character", ""),
    ("a.jsonl", '{"a": 1, "a": 2}', "line 1: has the key a twice", "once"),
    ("a.jsonl", '{"": 1}', "line 1: column 1 has no name", ""),
    ("a.jsonl", '"a"\n{"prompt": null}', "line 2: this row is empty", ""),
    ("a.jsonl", '{"id": [1], "prompt": "a"}', "line 1: id is a list", ""),
    ("a.json", '{"prompt": "a"}', "line 1: a table is a list", "[ ]"),
    ("a.json", '\n[{"prompt": "a"},\n {"prompt": "b"},\n]', "line 4: is no JSON at column 1", ""),
    ("a.json", '["a"\n "b"]', "line 2: is no JSON at column 2: expecting ',' or ']'", ""),
    ("a.json", '["a"', "line 1: is no JSON at column 5", ""),
    ("a.json", '["a"]\n["b"]', "line 2: is no JSON at column 1: extra data", ""),
    ("a.json", '["a",\n\n{"x": NaN}]', "line 3: holds NaN", ""),
    ("a.json", '["a",\nnull]', "line 2: this row is empty", ""),
    ("a.json", "[]", "is empty", ""),
    ("a.json", "[" * 100_000, "is nested too deeply", ""),
    ("a.yaml", "- prompt: a\n- prompt: b: c", "line 2: is no YAML: mapping values", "quote"),
    ("a.yaml", "- a\n- 'b", "line 2: is no YAML", "quote"),
    ("a.yaml", "prompt: a", "line 1: a table is a list", "'- '"),
    ("a.yaml", "- a\n---\n- b", "line 2: is no YAML: but found another document", ""),
    ("a.yaml", "- a\n- prompt: b\n  prompt: c", "line 3: is no YAML: the key prompt stands twice", ""),
    ("a.yaml", "- a\n- !!python/object:x.Y {}", "line 2: is no YAML", ""),
    ("a.yaml", "- a\n\n- 7", "line 3: this row is a number, and a row is a mapping", "{"),
    ("a.yaml", "- a\n- []", "line 2: this row is a list", "{"),
    ("a.yaml", "- a\n- x: " + "9" * 5000, "line 2: this row holds a number with too many digits", "quote"),
    ("a.yaml", "- 1: a", "line 1: this row has the key 1, and keys are texts", "quote"),
    ("a.yaml", "- vars: {1: a}", "line 1: vars has a key that is no text", ""),
    ("a.yaml", "- a\n- prompt: {style}", "line 2: {'style': None} is no text", "quotes"),
    ("a.yaml", "- prompt: 7", "line 1: 7 is no text, as a prompt has to be", "quotes"),
    ("a.yaml", "- seed: .nan", "line 1: seed is nan", ""),
    ("a.yaml", "- x: !!binary aGk=", "line 1: x is of the type bytes", ""),
    ("a.yaml", "- a\n- b\x07", "line 2: holds a control character", ""),
    ("a.yaml", "- a\n- 'b\u2028c'", "line 2: holds the character U+2028, which YAML takes for a line end", '"\\L"'),
    ("a.yaml", "- &a [*a]", "line 1: is no YAML", ""),
    ("a.yaml", "# nothing", "is empty", ""),
])  # fmt: skip
def test_a_wrong_table_is_refused(refusal, name, content, message, hint):
    error = refusal(content, name)
    assert error.message.startswith(name)
    assert message in error.message
    assert hint in error.hint


def test_the_name_of_a_file_is_no_prompt(put, refusal):
    put("A fox", "shots/a.txt")
    assert (
        "line 2: shots/a.txt is the name of a file, not a prompt" in refusal("A fox\nshots/a.txt", "list.txt").message
    )
    assert "prompt_file" in refusal("id,prompt\n1, shots/a.txt ").hint
    assert "line 1: a.txt is the name of a file" in refusal('"a.txt"', "shots/b.jsonl").message
    assert cells(put("prompt_file\nshots/a.txt")) == [{"prompt_file": "shots/a.txt"}]
    assert cells(put("shots/none.txt", "list.txt")) == [{"prompt": "shots/none.txt"}]


def test_the_name_of_a_table_is_no_prompt_even_where_none_is_there():
    with pytest.raises(ConfigError, match=r"row 2: foxes\.csv is the name of a file, not a prompt"):
        read_table(["A fox", "foxes.csv"])
    assert read_table(["A screen that shows foxes.csv"]).rows[0].cells == {"prompt": "A screen that shows foxes.csv"}


@pytest.mark.parametrize(("elements", "message"), [
    ([], "prompts is empty"),
    (["a", 7], "prompts, row 2: this row is a number"),
    (["a", {"prompt": ""}], "prompts, row 2: this row is empty"),
    ([{"id": 1}, {"id": "1"}], "prompts, row 2: has the id 1 of prompts, row 1"),
])  # fmt: skip
def test_a_wrong_list_of_a_config_is_refused(elements, message):
    with pytest.raises(ConfigError) as caught:
        read_table(elements)
    assert message in caught.value.message


def refused(text: str, ending: str) -> ConfigError | None:
    """The refusal of a table, None if it is one."""
    try:
        prompts(text, ending)
    except ConfigError as error:
        return error
    except KeyError:  # a row without a prompt
        return None
    return None


@given(st.text(letters, max_size=30) | biting, st.sampled_from(table_file.ENDINGS))
def test_any_text_is_a_table_or_one_clear_refusal(text, ending):
    error = refused(text, ending)
    assert error is None or (error.message.startswith("shots") and error.hint)


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("[Wide shot] A fox\n[Close-up] A cat", ".txt"),
        ("{animal} in snow", ".txt"),
        ('["a fox", "a cat"]', ".json"),
        ('[{"prompt": "a fox"}]', ".json"),
        ("[]", ".json"),
        ('{"prompt": "a fox"}', ".jsonl"),
        ("A wallet, id, keys on a table\nA fox", ".txt"),
        ("id,seed\na,1", ".csv"),
        ("prompt,my note\na fox,b", ".csv"),
        ("größe;id\n1;a", ".csv"),
    ],
)
def test_what_is_piped_in_is_taken_for_what_it_is(text, ending):
    assert sniffed(text) == ending


@pytest.mark.parametrize(
    ("cell", "value"),
    [("8", 8), ("0.5", 0.5), ("TRUE", True), ("[1, 2]", [1, 2]),
     ("010", "010"), ("0x10", "0x10"), ("1:30", "1:30"), ("1_0", "1_0"), ("yes", "yes"), ("[" * 5000, "[" * 5000)],
)  # fmt: skip
def test_a_cell_is_a_number_only_as_json_writes_it(cell, value):
    (found,) = values_of("request.duration_seconds", cell, None)
    assert found == ("request.duration_seconds", value)
    assert type(found[1]) is type(value)
