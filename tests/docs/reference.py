"""`make reference`: what is made from `conf/` and the pydantic models, and must be there as it would be made now."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from runner.commands import keys
from runner.config.reference import SECTIONS, schema
from runner.config.shipped import CONF

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def made() -> dict[Path, str]:
    """Return the text of each file that is made."""
    with contextlib.redirect_stdout(io.StringIO()) as page:
        keys.main(["--md"])
    places = {section: CONF / ("" if section == "config" else section) / "schema.json" for section in SECTIONS}
    schemas = {
        places[section]: json.dumps(schema(section), indent=2, ensure_ascii=False) + "\n" for section in SECTIONS
    }
    return {PAGE: page.getvalue(), **schemas}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
