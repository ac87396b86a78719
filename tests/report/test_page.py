"""The page: whatever a prompt or a name holds is data, and the file is whole or the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import DiskError
from runner.report.live_page import write_page
from runner.report.page import Shell, encoded_json
from runner.results.reading import RunGroup

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>&lt;&amp;\"'`${x}{{ 7*7 }}{% raw %}",
    "\u202ebidi\u2066 marks\u2069\u200f",
    "half of a pair \ud83d, and \udfff",
    "nul \0 and \x1b[31m, lines\u2028and\u2029paragraphs\r\n",
    "x" * 32_000,
    "🧀 中文",
]


@pytest.mark.parametrize("prompt", HOSTILE, ids=range(len(HOSTILE)))
def test_any_prompt_is_data_and_adds_no_element(tmp_path: Path, result, opened, prompt: str):
    write_page(tmp_path / "plain.html", [RunGroup(tmp_path, [(tmp_path / "0", result())])])
    warned = result(prompt=prompt, warnings=[prompt], overrides=[f"request.prompt={prompt}"])
    write_page(tmp_path / "page.html", [RunGroup(tmp_path, [(tmp_path / "0", warned), (tmp_path / "1", result(1))])])
    plain, page = opened(tmp_path / "plain.html"), opened(tmp_path / "page.html")
    cell = page.data["cells"][0]
    assert (cell["prompt"], cell["warnings"], cell["own"]["request.prompt"]) == (prompt, [prompt], prompt)
    assert [attributes for attributes, _ in page.scripts] == [attributes for attributes, _ in plain.scripts]
    assert page.scripts[-1] == plain.scripts[-1]


def test_a_hostile_title_is_text(tmp_path: Path, result, opened):
    for name in ("<script>alert(1)<", "<title><script>alert(1)", "a&lt;b", "half \udce9"):
        directory = tmp_path / name
        write_page(tmp_path / "page.html", [RunGroup(directory, [(directory / "0", result())])])
        assert opened(tmp_path / "page.html").data["title"] == str(directory)
        assert "<script>alert" not in (tmp_path / "page.html").read_text()


def test_what_is_no_json_number_is_null():
    assert json.loads(encoded_json({"a": [float("nan"), 1.5], "b": float("inf")})) == {"a": [None, 1.5], "b": None}


def test_a_page_that_cannot_be_finished_leaves_the_one_before(tmp_path: Path):
    path, shell = tmp_path / "index.html", Shell("t")
    shell.write(path, ["1"])
    before = path.read_bytes()

    def broken() -> Iterator[str]:
        yield "2" * 100_000
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the one above
        shell.write(path, broken())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]


def test_a_directory_that_takes_no_file_is_a_disk_error(tmp_path: Path):
    with pytest.raises(DiskError, match=r"gone/index\.html"):
        Shell("t").write(tmp_path / "gone" / "index.html", ["1"])
