"""Nodes as plain data."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import pytest
from omegaconf import ListConfig, OmegaConf

from runner.sweep.node import child, children, plain


class Colour(Enum):
    """Any."""

    RED = "red"


LISTS = [
    *(None, "???", "${other}", [], ["a", "b"], ["${other}", "???"], ["a", 1], ["1", "true", "null"]),
    *([Colour.RED], [Path("x")], [b"x"], ["a", None], ["a", ["b"]], ["a", {"b": "c"}]),
]


@pytest.mark.parametrize("value", LISTS, ids=repr)
def test_a_list_is_what_omegaconf_makes_of_it(value: object) -> None:
    config = OmegaConf.create({"section": {"list": ListConfig(value)}, "other": ["x"]})
    theirs = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    node = children(child(config, "section"))["list"]
    assert isinstance(theirs, dict)
    assert repr(plain(node)) == repr(theirs["section"]["list"])
