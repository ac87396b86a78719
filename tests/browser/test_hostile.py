"""Prompts, names and reasons that would be markup, script, or a mess, stay text; and the page asks nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import runner.report

PAGE = Path(runner.report.__file__).with_name("page")
HOSTILE = {
    "script": "</script><script>window.pwned = 1</script>",
    "image": '<img src=x onerror="window.pwned = 1">',
    "quotes": "\"'`><svg onload=window.pwned=1>",
    "comment": "<!-- <script> -->",
    "template": "{{ 7 * 7 }} {% raw %} ${window.pwned = 1}",
    "scheme": "javascript:window.pwned=1",
    "bidi": "safe \u202e gnp.exe \u2066 isolated",
    "separators": "one\u2028two\u2029three\u0000four",
    "surrogate": "half \ud83d of it",
    "entity": "&lt;b&gt; &amp; \\u003cscript\\u003e",
    "long": "wolf " * 6399 + "wolf!",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_stays_text_wherever_it_stands(gallery, make_cell, make_page, name):
    text = HOSTILE[name]
    cells = [
        make_cell(number, [number % 2, number // 2], prompt=text, label=text, provider=text, model=text, reason=text,
                  hint=text, status="failed", group="failed", job_id=text, warnings=[text], remote_status=text,
                  own={"request.prompt": text, text: text}, **{"continue": text, "repeat": text})
        for number in range(4)
    ]  # fmt: skip
    data = make_page(cells, [("request.prompt", [text, "plain"]), (f"request.{text}", [text, 1])], title=text)
    data["sweeps"][0] |= {"name": text, "resume": text}
    page = gallery({**data, "complete": False})
    wanted = page.evaluate("gallery.store.data.title")
    assert wanted == text or name == "surrogate"
    page.evaluate("gallery.detail.open('0/1')")
    page.evaluate("gallery.detail.close()")
    page.evaluate("gallery.store.set({x: '', y: ''})")
    page.evaluate("gallery.store.set({view: 'plot'})")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe:not([hidden]), script:not([type])").count() == 1


def test_the_policy_forbids_what_is_not_needed_and_nothing_that_is(browse, videos):
    page = browse(videos, bypass_csp=False, complains=True)
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate("gallery.transport.toggle()")
    page.evaluate("gallery.detail.open('0/0')")
    page.evaluate("gallery.detail.close()")
    page.locator("video").first.wait_for()
    assert refused == []
    page.evaluate("new Promise(done => { Object.assign(new Image(), {onerror: done, src: 'http://127.0.0.1:9/'}) })")
    assert any("Content Security Policy" in text for text in refused)


def test_the_policy_lets_ratings_be_exported(browse, videos):
    page = browse(videos, bypass_csp=False)
    page.evaluate("gallery.ratings.toggle(gallery.store.data.cells[0], 'x', 'star')")
    with page.expect_download() as download:
        page.keyboard.press("e")
    assert json.loads(download.value.path().read_text(encoding="utf-8"))["version"] == 1


def test_the_page_names_no_address_and_leaves_no_file_out(videos: Path):
    before, _, after = videos.read_text().partition('<script type="application/json"')
    shell = before + after.partition("</script>")[2]
    assert set(re.findall(r"https?://[^\s\"']*", shell)) <= {"http://www.w3.org/2000/svg"}
    sources = [*PAGE.glob("*.js"), *PAGE.glob("*.css")]
    assert sources
    assert [path.name for path in sources if path.read_text() not in shell] == []
