"""The text of `.hydra/` is OmegaConf's, byte for byte."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runner.sweep.job import FILES, Packed, joined
from runner.sweep.rendering import Renderer

# OmegaConf refuses half an interpolation when a config is made, long before it is written.
_TEXT = (st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.text(string.printable, max_size=200)).map(
    lambda text: text.replace("${", "$")
)
_WORDS = (
    st.text("aeInyno/=.,+-:# 0159\\'", max_size=12)
    | st.text("/=a:\\", max_size=6)
    | st.text("0123456789", max_size=20)
    | st.sampled_from(["on", "1e5", "16:9", "~", "?", "=", "a=", "/", "a=b:", "a=http\\://h\\:9/v1", "a=16:9"])
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT, _WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.integers() | st.booleans(), inner, max_size=4)
    ),
    max_leaves=12,
)
_DOCUMENTS = st.dictionaries(_TEXT, _VALUES, max_size=4)


@settings(max_examples=200, deadline=None)
@given(documents=st.lists(_DOCUMENTS, max_size=3))
def test_a_mapping_is_written_as_omegaconf_writes_it(documents: list[dict[str, object]]) -> None:
    renderer = Renderer()
    for document in [*documents, *documents]:
        config = OmegaConf.create(document, flags={"allow_objects": True})
        plain = OmegaConf.to_container(config, enum_to_str=True)
        assert renderer.mapping(plain) == OmegaConf.to_yaml(config)


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(_TEXT | _WORDS, max_size=4))
def test_overrides_are_written_as_omegaconf_writes_them(lines: list[str]) -> None:
    assert Renderer().sequence(lines) == OmegaConf.to_yaml(OmegaConf.create(lines))


@given(first=st.lists(_TEXT, min_size=3, max_size=3), then=st.lists(_TEXT, min_size=3, max_size=3))
def test_packed_files_come_out_as_they_went_in(first: list[str], then: list[str]) -> None:
    texts = dict(zip(FILES, (text.replace("\x00", "") for text in then), strict=True))
    like = joined(dict(zip(FILES, (text.replace("\x00", "") for text in first), strict=True)))
    assert Packed.pack(texts, like).unpack() == texts


def test_a_hundred_similar_jobs_are_small() -> None:
    renderer = Renderer()
    texts = [
        dict.fromkeys(
            FILES, renderer.mapping({"request": {"prompt": f"number {n}", **dict.fromkeys(string.ascii_letters)}})
        )
        for n in range(100)
    ]
    like = joined(texts[0])
    assert sum(len(Packed.pack(text, like).data) for text in texts) < 100 * 100
