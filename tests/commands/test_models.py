from __future__ import annotations

import datetime as dt
import json

import pytest

from runner.commands.models import load_models, main, price, state
from runner.config.model import Offer

TODAY = dt.date(2026, 11, 23)


@pytest.mark.parametrize(
    ("retires", "successor", "said"),
    [
        (None, None, "no end announced"),
        ("2026-09-24", None, "RETIRED 2026-09-24"),
        ("2026-12-01", "gpt-image-2", "until 2026-12-01 SOON, then gpt-image-2"),
        ("2027-10-21", None, "until 2027-10-21"),
        ("2026-11-23", None, "ENDS TODAY 2026-11-23"),
        ("2026-11-22", None, "RETIRED 2026-11-22"),
    ],
)
def test_an_offers_end_is_said_as_it_stands_today(retires, successor, said):
    assert state(Offer.model_validate({"retires": retires, "successor": successor}), TODAY) == said


def test_the_table_shows_every_model(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    for name in ("sora-2", "gpt-image-2", "wan2.2-t2v", "dall-e-3"):
        assert name in text


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_no_name_is_broken_on_a_narrow_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert main([]) == 0
    words = capsys.readouterr().out.split()
    for name, model in load_models().items():
        assert {name, *(model.resolutions or model.sizes or ()), *(f"{provider}:" for provider in model.offers)} <= {
            *words
        }


def test_json_has_everything(capsys):
    assert main(["--json"]) == 0
    models = json.loads(capsys.readouterr().out)
    offer = models["gpt-image-1.5"]["offers"]["azure_openai"]
    assert (offer["retires"], offer["successor"]) == ("2027-06-16", "gpt-image-2")
    assert set(models) == set(load_models())


def test_prices_are_ranges_or_unknown():
    models = load_models()
    assert price(models["sora-2"]) == "$0.10 a second"
    assert price(models["sora-2-pro"]) == "$0.30 to $0.50 a second"
    assert price(models["gpt-image-1.5"]) == "$0.009 to $0.2 an image"
    assert price(models["wan2.2-t2v"]) == "unknown"
    assert price(models["veo-3.1"]) == "$0.20 to $0.60 a second"
    assert price(models["kling-3.0-std"]) == "$0.084 to $0.126 a second"
    assert price(models["seedance-2.5"]) == "$10.70 a million video tokens"
    assert price(models["flux.2-pro"]) == "$0.03 a megapixel"
    assert price(models["gemini-3-pro-image"]) == "unknown"


def test_every_option_is_named_as_its_file():
    assert [name for name, model in load_models().items() if model.name != name] == []
