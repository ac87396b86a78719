"""A page of a sweep under way: it takes what is new by itself, and says when nothing comes any more."""

from __future__ import annotations

import datetime as dt
import functools
import os
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.emulator.settings import EmulatorSettings
from tests.emulator_thread import EmulatorThread
from tests.forking import Forked
from tests.waiting import wait_until


def after(**time):
    return dt.datetime.now(dt.UTC) + dt.timedelta(**time)


@pytest.fixture
def page_file(tmp_path):
    return tmp_path / "index.html"


@pytest.fixture
def under_way(make_cell, make_page):
    """Data of a sweep of forty runs, of which `done` are done."""

    def so_far(done, *, made_at=None, complete=False, **facts):
        waiting = {"group": "generating", "status": "polling", "spent_usd": None, "latency_seconds": None}
        cells = [make_cell(number, [], **({} if number < done else waiting)) for number in range(40)]
        return make_page(
            cells, made_at=(made_at or after()).isoformat(), complete=complete, **{"refresh_seconds": 0.1, **facts}
        )

    return so_far


@pytest.fixture
def begin_sweep(tmp_path):
    """A real sweep that is at work, once its page is there: (page, process)."""
    settings = EmulatorSettings(state_file=tmp_path / "state.sqlite3", latency=4, dialect="vllm_omni")
    with EmulatorThread(settings) as server:
        typed = ["-m", "provider=vllm_omni", f"provider.base_url={server.base_url}",
                 "provider.poll_interval=0.1", "model=wan2.2-t2v", "request.size=256x144", "replica=0,1",
                 "request.duration_seconds=1,2", "progress=off", "hydra.sweep.dir=out"]  # fmt: skip
        with Forked("runner", typed, cwd=tmp_path, env=os.environ, stdout=subprocess.DEVNULL) as process:
            index = tmp_path / "out" / "index.html"
            wait_until(index.is_file, process)
            yield index, process
            process.kill()


def test_newer_data_arrives_by_itself_and_everything_stays_where_it_was(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3))
    page = browse(page_file, "#size=200")
    page.evaluate("gallery.grid.focus('0/30')")
    page.evaluate("window.mark = 1; document.activeElement.mark = 1")
    scrolled = page.evaluate("document.getElementById('grid').scrollTop")
    rewrite(page_file, under_way(31, made_at=after(seconds=5)))
    page.wait_for_function("gallery.store.data.totals.done === 31")
    assert page.locator('.tile[data-id="0/30"]').get_attribute("data-group") == "done"
    assert page.evaluate("[mark, document.activeElement.mark, document.activeElement.dataset.id]") == [1, 1, "0/30"]
    assert page.evaluate("document.getElementById('grid').scrollTop") == scrolled > 0
    assert "31 / 40" in page.locator("#totals").inner_text()


def test_what_plays_plays_on(browse, videos):
    text = videos.read_text()
    live = text.replace('"complete":true', '"complete":false').replace('"refresh_seconds":3', '"refresh_seconds":0.1')
    live = live.replace('"made_at":"', '"made_at":"2999')  # never stale; parsed by nobody else
    page_file = videos.with_name("live.html")
    page_file.write_text(live)
    page = browse(page_file, width=1600)
    page.evaluate("gallery.transport.toggle()")
    page.wait_for_function("document.querySelector('video').currentTime > 0.1")
    page.evaluate("for (const video of document.querySelectorAll('video')) video.mark = video.currentSrc")
    page_file.write_text(live.replace('"made_at":"2999', '"made_at":"3999'))
    page.wait_for_function("gallery.store.data.made_at.startsWith('3999')")
    assert page.evaluate("[...document.querySelectorAll('video')].every(one => one.mark === one.currentSrc)")
    page.wait_for_function("[...document.querySelectorAll('video')].some(one => !one.paused && one.mark)")


def test_a_sweep_that_ends_is_asked_for_no_more(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3))
    page = browse(page_file)
    assert page.locator("#freshness").inner_text().startswith("Running")
    rewrite(page_file, under_way(40, made_at=after(seconds=5), complete=True))
    page.wait_for_function("gallery.store.data.complete")
    assert page.locator("#freshness").inner_text().startswith("Written")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("new Promise(done => setTimeout(done, 500))")
    assert asked == []


def test_a_sweep_that_was_killed_says_so_and_how_to_go_on(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3, made_at=after(minutes=-12)))
    page = browse(page_file)
    line = page.locator("#freshness")
    assert "Last written 12 minutes ago; the sweep seems to have stopped." in line.inner_text()
    assert line.get_by_role("alert").inner_text() == "the sweep seems to have stopped."
    assert line.locator("code").inner_text() == "python -m runner resume out"
    rewrite(page_file, under_way(4, made_at=after()))
    page.wait_for_function("gallery.store.data.totals.done === 4")
    assert "stopped" not in line.inner_text()


@pytest.mark.parametrize(("age", "said"), [(70, "1 minute ago"), (95, "1 minute ago"), (7300, "2 hours ago")])
def test_a_page_that_has_grown_old_says_how_old_in_large_units(browse, page_file, under_way, rewrite, age, said):
    rewrite(page_file, under_way(3, made_at=after(seconds=-age)))
    assert f"Last written {said};" in browse(page_file).locator("#freshness").inner_text()


def test_the_alarm_is_spoken_once_however_long_it_stands(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3, made_at=after(minutes=-30), refresh_seconds=60))
    page = browse(page_file)
    page.evaluate("document.querySelector('#freshness [role=alert]').mark = 1")
    page.locator("#freshness button").focus()
    later = under_way(3, made_at=after(minutes=-40), refresh_seconds=60)
    page.evaluate("data => gallery.store.replaceData(data)", later)
    assert "40 minutes ago" in page.locator("#freshness").inner_text()
    assert page.evaluate("document.querySelector('#freshness [role=alert]').mark") == 1
    assert page.evaluate("document.activeElement.closest('#freshness') !== null")


def test_a_button_keeps_the_focus_while_its_run_goes_on(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3))
    page = browse(page_file)
    run = page.locator('.tile[data-id="0/3"]')
    run.get_by_role("button", name="Star").focus()
    rewrite(page_file, under_way(4, made_at=after(seconds=5)))
    page.locator('.tile[data-id="0/3"][data-group="done"]').wait_for()
    assert run.locator(".badge").text_content() == "✓"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Star"


@pytest.fixture
def lost_copy(browse, page_file, under_way, rewrite):
    """A page that waits for its copy, which is gone."""
    rewrite(page_file, under_way(3))
    page = browse(page_file, complains=True, anew=True)
    page.clock.install()
    with page.expect_event("requestfailed", lambda request: request.url.endswith("?data")):
        page_file.unlink()
    return page


def test_data_from_anyone_but_the_copy_is_not_taken(lost_copy):
    forged = lost_copy.evaluate(
        """() => new Promise((done) => {
            const data = {...gallery.store.data, made_at: "2999-01-01", cells: []};
            addEventListener("message", () => done(gallery.store.data.made_at));
            postMessage({gallery: JSON.stringify(data)}, "*");
        })"""
    )
    assert forged != "2999-01-01"
    assert lost_copy.locator("iframe").count() == 1


def test_a_copy_that_is_gone_leaves_the_page_as_it_is_until_there_is_one_again(
    lost_copy, page_file, under_way, rewrite
):
    assert lost_copy.evaluate("gallery.store.data.totals.done") == 3
    assert lost_copy.locator(".tile").count() > 3
    rewrite(page_file, under_way(31, made_at=after(seconds=5)))
    lost_copy.clock.fast_forward(21_000)
    lost_copy.wait_for_function("gallery.store.data.totals.done === 31")


def test_the_policy_lets_a_page_refresh_itself(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3))
    page = browse(page_file, bypass_csp=False)
    rewrite(page_file, under_way(31, made_at=after(seconds=5)))
    page.locator("#totals", has_text="31 / 40").wait_for()


def test_a_page_whose_name_looks_like_an_address_refreshes_itself(browse, tmp_path, under_way, rewrite):
    strange = tmp_path / "a:b # 100% ?.html"
    rewrite(strange, under_way(3))
    page = browse(strange)
    page.goto(page.url.replace("%3A", ":"))
    rewrite(strange, under_way(31, made_at=after(seconds=5)))
    page.locator("#totals", has_text="31 / 40").wait_for()


@pytest.fixture
def served(tmp_path):
    """The port of a server of the page's directory."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_page_that_is_served_refreshes_itself_and_hands_its_data_to_no_other_site(
    browse, page_file, under_way, rewrite, served
):
    rewrite(page_file, under_way(3))
    page = browse(page_file, bypass_csp=False, complains=True)
    page.goto(f"http://127.0.0.1:{served}/index.html")
    rewrite(page_file, under_way(31, made_at=after(seconds=5)))
    page.locator("#totals", has_text="31 / 40").wait_for()

    (page_file.parent / "other.html").write_text("<!doctype html><title>Another site</title>")
    page.goto(f"http://localhost:{served}/other.html")
    taken = page.evaluate(
        """(src) => new Promise((done) => {
            addEventListener("message", () => done(true));
            const frame = Object.assign(document.createElement("iframe"), {src});
            frame.addEventListener("load", () => setTimeout(() => done(false), 100));
            document.body.append(frame);
        })""",
        f"http://127.0.0.1:{served}/index.html?data",
    )
    assert taken is False


def test_a_real_sweep_is_watched_from_its_start_to_its_end(browse, begin_sweep):
    index, process = begin_sweep
    page = browse(index)
    assert page.evaluate("gallery.store.data.complete") is False
    page.wait_for_function("gallery.store.data.totals.done > 0")
    page.wait_for_function("gallery.store.data.complete")
    assert page.locator('.tile[data-group="done"] video').count() == 4
    assert process.wait(30) == 0


def test_a_list_that_is_open_and_a_text_that_is_typed_outlive_a_refresh(browse, page_file, under_way, rewrite):
    rewrite(page_file, under_way(3))
    page = browse(page_file)
    search = page.get_by_label("Find in prompts and parameters")
    search.press_sequentially("prompt")
    page.evaluate("document.querySelector('[name=sort]').mark = 1")
    rewrite(page_file, under_way(31, made_at=after(seconds=5)))
    page.wait_for_function("gallery.store.data.totals.done === 31")
    search.press_sequentially(" 3")
    assert page.evaluate("[document.querySelector('[name=sort]').mark, gallery.store.state.find]") == [1, "prompt 3"]
    assert page.get_by_role("button", name="Done: show only these").inner_text().split()[-1] == "31"
