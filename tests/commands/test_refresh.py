"""`models --refresh`: a host's models as files that runs take."""

from __future__ import annotations

import datetime as dt

import pytest
import yaml

from runner.app import run
from tests.config.test_openrouter_models import IMAGE, entry, line


@pytest.fixture
def host(small_server, monkeypatch):
    listed = {
        "/v1/videos/models": {"data": [entry("acme/reel-2"), entry("acme/edit", supported_durations=None)]},
        "/v1/images/models": {"data": [IMAGE]},
        f"/v1/images/models/{IMAGE['id']}/endpoints": {
            "id": IMAGE["id"], "endpoints": [{"pricing": [line("output_image", "image", 0.03)]}],
        },
    }  # fmt: skip
    small_server.answer = lambda asked: (200, listed[asked.path]) if asked.path in listed else (404, {"error": "no"})
    monkeypatch.setenv("OPENROUTER_BASE_URL", small_server.base_url)
    return small_server


def test_models_are_written_dated_and_taken_by_runs(host, here, capsys, monkeypatch):
    assert run(["models", "--refresh", "openrouter"]) == 0
    said = capsys.readouterr().out
    assert "2 models of openrouter" in said
    assert "left out: acme/edit: makes no new videos" in said
    written = yaml.safe_load((here / "models-openrouter/model/acme-reel-2.yaml").read_text())
    assert written["read"] == dt.datetime.now().astimezone().date().isoformat()
    assert {asked.method for asked in host.asked} == {"GET"}

    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-any")
    usual = ("--config-dir", "models-openrouter", "provider=openrouter", "dry_run=true")
    assert run([*usual, "model=acme-reel-2"]) == 0
    assert "$0.80" in capsys.readouterr().out
    assert run([*usual, "model=qwen-qwen-image-3", "request=image", "request.n=2"]) == 0
    assert "$0.06" in capsys.readouterr().out
    assert run([*usual, "model=acme-reel-2", "request.duration_seconds=5"]) == 2
    assert "Allowed values: 4, 6, 8" in capsys.readouterr().err


def test_no_key_is_sent_and_none_is_needed(host, here, monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    assert run(["models", "--refresh", "openrouter", "--into", "mine"]) == 0
    assert [path.name for path in sorted((here / "mine/model").iterdir())] == [
        "acme-reel-2.yaml", "qwen-qwen-image-3.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["openai", "nobody", "xai"])
def test_who_publishes_no_list_is_said_so(here, capsys, name):
    assert run(["models", "--refresh", name]) == 2
    assert "publishes no list of its models" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_host_that_answers_otherwise_leaves_nothing(small_server, here, capsys, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", small_server.base_url)
    assert run(["models", "--refresh", "openrouter"]) != 0
    assert "Traceback" not in capsys.readouterr().err
    assert list(here.iterdir()) == []
