"""The text of `.hydra/` is read back by OmegaConf as what was written."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runner.compose.documents import Documents, Renderer, rendered

# OmegaConf refuses half an interpolation when a config is made, long before it is written.
_TEXT = (st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.text(string.printable, max_size=200)).map(
    lambda text: text.replace("${", "$")
)
_WORDS = (
    st.text("aeInyno/=.,+-:# 0159\\'_", max_size=12)
    | st.text("0123456789", max_size=20)
    | st.sampled_from(
        ["on", "1e5", "1_0.5", "-.5e+3", ".inf", ".NaN", "16:9", "~", "?", "=", "2026-11-30", "0x1f", "0o7"]
    )
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT, _WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.integers() | st.booleans(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(document=st.dictionaries(_TEXT | _WORDS, _VALUES, max_size=4))
def test_omegaconf_reads_what_was_written(document: dict[str, object]) -> None:
    config = OmegaConf.create(document)
    plain = OmegaConf.to_container(config)
    assert repr(OmegaConf.to_container(OmegaConf.create(rendered(plain)))) == repr(plain)


@given(lines=st.lists(_TEXT | _WORDS, max_size=4))
def test_omegaconf_reads_overrides_as_they_were_typed(lines: list[str]) -> None:
    assert OmegaConf.create(rendered(lines)) == lines


def test_what_is_shared_is_written_out_each_time() -> None:
    shared = {"a": [1, 2]}
    assert rendered({"one": shared, "two": shared}) == "one:\n  a:\n  - 1\n  - 2\ntwo:\n  a:\n  - 1\n  - 2\n"


@pytest.mark.parametrize("name", ["plain", "Käse 🧀", "1e3", "-.5"])
def test_all_three_files_are_read_as_they_were(tmp_path: Path, name: str) -> None:
    Documents({"place": name}, ["a=b"], {"job": {"name": name}}).write(tmp_path / ".hydra")
    read = {path.name: OmegaConf.load(path) for path in (tmp_path / ".hydra").iterdir()}
    assert read == {"config.yaml": {"place": name}, "hydra.yaml": {"hydra": {"job": {"name": name}}},
                    "overrides.yaml": ["a=b"]}  # fmt: skip


def test_a_directory_that_is_no_utf8_can_be_named(tmp_path: Path) -> None:
    Documents({"place": "not-utf8-\udcff"}, []).write(tmp_path)
    assert "not-utf8-" in (tmp_path / "config.yaml").read_text(encoding="utf-8")


def test_what_runs_share_is_rendered_once_and_reads_as_if_each_had_been_rendered_alone():
    shared = {"prompt": "two\nlines: and a very long one " * 8, "list": [1, {"a": "1e3"}], "empty": {}}
    documents = [
        {"shared": shared, "own": {"number": number, "text": f"{number}: #"}, "last": None} for number in range(3)
    ]
    renderer = Renderer()
    assert [renderer.rendered(each) for each in documents] == [rendered(each) for each in documents]
    assert [renderer.below("hydra", each) for each in documents] == [rendered({"hydra": each}) for each in documents]
    assert (renderer.rendered({}), renderer.below("hydra", {})) == (rendered({}), rendered({"hydra": {}}))
