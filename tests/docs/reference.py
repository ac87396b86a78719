"""`make reference`: what is made from `conf/` and the pydantic models, and must be there as it would be made now."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from runner.commands import keys
from runner.config.reference import SECTIONS, Section, schema
from runner.config.shipped import CONF

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def _page() -> str:
    with contextlib.redirect_stdout(io.StringIO()) as page:
        keys.main(["--md"])
    return page.getvalue()


def _schema(section: Section) -> str:
    return json.dumps(schema(section), indent=2, ensure_ascii=False) + "\n"


MADE: dict[Path, Callable[[], str]] = {
    PAGE: _page,
    **{CONF / ("" if each == "config" else each) / "schema.json": partial(_schema, each) for each in SECTIONS},
}
"""What makes the text of each file."""


if __name__ == "__main__":
    for path, make in MADE.items():
        path.write_text(make(), encoding="utf-8")
