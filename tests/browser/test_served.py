"""A page that is served sends what is judged to its server, shows what others judge, and loses nothing meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.report.page import Shell, encoded_json
from tests.waiting import PATIENCE


class RatingServer:
    """Serve a page and its records; `down`: no answer at all, `refusal`: what is wrong with every record."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.down = False
        self.refusal: str | None = None
        self.records: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.changed = threading.Condition()
        page = b"".join(Shell(data["title"], served=True).pieces([encoded_json(data)]))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path)
                if outer.down:
                    self.close_connection = True
                elif path.path == "/token/out/":
                    self._answer(200, page, "text/html")
                elif path.path == "/token/out/ratings":
                    rest = outer.records[int(parse_qs(path.query)["after"][0]) :]
                    self._answer(200, "".join(f"{json.dumps(each)}\n" for each in rest).encode())
                else:
                    self._answer(404, b"nothing\n", "text/plain")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.down or self.path != "/token/out/ratings":
                    self.close_connection = True
                elif outer.refusal:
                    self._answer(400, json.dumps({"error": outer.refusal}).encode())
                else:
                    outer.take(body)
                    self._answer(200, b'{"taken": 1}')

            def _answer(self, status: int, body: bytes, type_: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("Content-Type", type_)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/token/out/"

    def take(self, body: bytes) -> None:
        with self.changed:
            self.bodies.append(body)
            known = {each["id"] for each in self.records}
            self.records += [each for each in map(json.loads, body.splitlines()) if each["id"] not in known]
            self.changed.notify_all()

    def wait(self, count: int) -> list[dict[str, Any]]:
        """Return the records once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.records) >= count, 30), self.records
            return self.records

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(make_cell, make_page) -> Iterator[RatingServer]:
    data = make_page([make_cell(n, [n]) for n in range(3)], [("replica", [0, 1, 2])])
    server = RatingServer({**data, "ratings": {"url": "ratings", "rater": "ann"}})
    yield server
    server.close()


@pytest.fixture
def context(chromium) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    context.close()


def opened(context, server: RatingServer, hash_: str = ""):
    page = context.new_page()
    page.goto(server.address + hash_)
    page.wait_for_function("window.gallery")
    return page


def star(page, number: int = 0) -> None:
    page.evaluate("(id) => gallery.ratings.toggle(gallery.store.cell(id), '', 'star')", f"0/{number}")


def record(**facts) -> dict[str, Any]:
    usual = {"version": 1, "kind": "rating", "id": "b1", "at": "2026-11-23T09:00:00.000Z", "rater": "ben"}
    judgement = {"rating": 2, "tags": [], "star": False, "reject": False, "note": ""}
    return {**usual, "run": "sweep/1", "file": "", **judgement, **facts}


def test_what_is_judged_is_sent_as_one_line_by_the_rater_that_the_server_names(context, server):
    page = opened(context, server)
    star(page)

    (sent,) = server.wait(1)
    assert (sent["rater"], sent["run"], sent["star"]) == ("ann", "sweep/0", True)
    assert server.bodies[0].count(b"\n") == 1
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('runner.ratings'))") == []
    page.wait_for_function("gallery.server.unsent === 0")
    page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('runner.unsent'))")


def test_the_policy_lets_the_page_ask_its_server(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(server.address)
    page.locator("#grid [data-id='0/0']").focus()
    page.keyboard.press("s")

    assert server.wait(1)[0]["star"]
    context.close()


def test_what_is_written_is_one_record_once_the_writer_rests(context, server):
    page = opened(context, server)
    for length in range(1, 6):
        page.evaluate("(note) => gallery.ratings.change(gallery.store.cell('0/0'), '', {note})", "ears!"[:length])

    assert [each["note"] for each in server.wait(1)] == ["ears!"]
    assert page.evaluate("gallery.ratings.records().length") == 1


def test_what_others_judge_is_seen(context, chromium, server):
    server.records.append(record())
    page = opened(context, server)
    page.wait_for_function("gallery.ratings.all(gallery.store.cell('0/1'), '').length === 1")

    elsewhere = chromium.new_context(bypass_csp=True)
    other = opened(elsewhere, server)
    other.evaluate("gallery.ratings.rename('cem')")
    star(other, 2)
    server.wait(2)
    elsewhere.close()

    page.wait_for_function("gallery.ratings.verdict(gallery.store.cell('0/2'), '').starred")
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/2'), '').star") is False


def test_what_was_judged_is_there_when_the_page_comes_again(context, server):
    star(opened(context, server))
    server.wait(1)

    page = opened(context, server)

    page.wait_for_function("gallery.ratings.get(gallery.store.cell('0/0'), '').star")
    assert len(server.records) == 1


def test_while_the_server_is_gone_nothing_is_lost_and_then_it_is_sent(context, server):
    page = opened(context, server)
    server.down = True
    star(page)
    page.locator("#status", has_text="The server is gone").wait_for()
    assert page.locator("#ratings-button").get_attribute("data-unsent") == "1"
    page.get_by_role("button", name="Ratings: the server is gone; 1 judgement not sent").click()
    assert "1 judgement wait" in page.locator("#ratings").inner_text()
    page.close()

    server.down = False
    page = opened(context, server)

    assert server.wait(1)[0]["star"]
    page.wait_for_function("gallery.server.unsent === 0")
    assert page.evaluate("gallery.ratings.get(gallery.store.cell('0/0'), '').star")


def test_the_page_finds_the_server_again_by_itself(context, server):
    page = opened(context, server)
    server.down = True
    star(page)
    page.wait_for_function("gallery.server.gone")

    server.down = False

    assert server.wait(1)[0]["star"]
    page.wait_for_function("!gallery.server.gone && gallery.server.unsent === 0")


def test_what_the_server_refuses_is_told_and_stays_in_the_browser(context, server):
    page = opened(context, server)
    server.refusal = "no such run"
    star(page)

    page.locator("#status", has_text="The server does not take this: no such run").wait_for()
    assert page.evaluate("gallery.server.unsent") == 1
    server.refusal = None
    star(page, 1)
    assert [each["run"] for each in server.wait(1)] == ["sweep/1"]


def test_a_choice_and_what_takes_it_back_are_sent_in_their_order(context, server):
    page = opened(context, server)
    page.evaluate("""() => {
      const place = (number) => ({run: `sweep/${number}`, file: ""});
      const pair = {left: place(0), right: place(1), outcome: "left", by: "file", seed: 1};
      const usual = {version: 1, at: new Date().toISOString(), rater: "ann"};
      gallery.ratings.add({...usual, kind: "pair", id: "p", ...pair});
      gallery.ratings.add({...usual, kind: "undo", id: "u", of: "p"});
    }""")

    assert [each["id"] for each in server.wait(2)] == ["p", "u"]
    assert page.evaluate("gallery.ratings.pairs()") == []


def test_imported_records_are_sent_too(context, server):
    page = opened(context, server)
    counts = page.evaluate("(text) => gallery.exchange.merge(text)", json.dumps(record()) + "\n")

    assert counts["taken"] == 1
    assert server.wait(1)[0]["rater"] == "ben"
