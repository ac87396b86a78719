from __future__ import annotations

import pytest

from runner.artifacts.picture import examine
from runner.errors import ArtifactError

SVG = '<svg xmlns="http://www.w3.org/2000/svg" {}><rect width="10" height="10"/></svg>'


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="640" height="480"', (640, 480)),
        ('width="64.4px" height="48px"', (64, 48)),
        ('viewBox="0 0 300 200"', (300, 200)),
        ('width="100%" height="100%" viewBox="0,0,300,200"', (300, 200)),
    ],
)
def test_a_whole_drawing_is_known_by_its_size(tmp_path, attributes, size):
    path = tmp_path / "x.part"
    path.write_text('<?xml version="1.0"?>\n' + SVG.format(attributes))
    picture = examine(path)
    assert (picture.media_type, picture.extension, (picture.width, picture.height)) == ("image/svg+xml", "svg", size)
    assert picture.small is None


@pytest.mark.parametrize(
    "text",
    [
        SVG.format('width="6" height="4"')[:-8],
        "<html><body>Bad gateway</body></html>",
        SVG.format(""),
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format('width="6" height="4"'),
        "<",
    ],
    ids=["cut", "html", "no size", "entities", "nothing"],
)
def test_what_is_no_whole_drawing_is_refused(tmp_path, text):
    path = tmp_path / "x.part"
    path.write_text(text)
    with pytest.raises(ArtifactError):
        examine(path)
