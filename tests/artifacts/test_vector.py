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
        ('width="10cm" height="1in"', (378, 96)),
        ('width="100%"', (None, None)),
        ("", (None, None)),
    ],
)
def test_a_whole_drawing_is_known_by_its_size(tmp_path, attributes, size):
    path = tmp_path / "x.part"
    path.write_text('<?xml version="1.0"?>\n' + SVG.format(attributes))
    picture = examine(path)
    assert (picture.media_type, picture.extension, (picture.width, picture.height)) == ("image/svg+xml", "svg", size)
    assert picture.small is None


def test_a_drawing_may_name_the_standard_that_it_follows(tmp_path):
    path = tmp_path / "x.part"
    standard = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    path.write_text(standard + SVG.format('width="6" height="4"'))
    assert examine(path).width == 6


@pytest.mark.parametrize(
    "text",
    [
        SVG.format('width="6" height="4"')[:-8],
        "<html><body>Bad gateway</body></html>",
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format('width="6" height="4"'),
        "<",
    ],
    ids=["cut", "html", "entities", "nothing"],
)
def test_what_is_no_whole_drawing_is_refused(tmp_path, text):
    path = tmp_path / "x.part"
    path.write_text(text)
    with pytest.raises(ArtifactError):
        examine(path)
