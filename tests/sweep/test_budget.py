"""`budget.*` from the command line: known before anything is sent, kept to under way, said at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.app import run
from runner.errors import RunnerError
from tests.emulator_thread import EmulatorThread

TWO = "request.duration_seconds=4,8"
"""Two runs, of $0.40 and $0.80."""


@pytest.fixture
def other_runs(make_emulator, tmp_path: Path) -> EmulatorThread:
    """A second server, to fall back to."""
    return make_emulator(state_file=tmp_path / "elsewhere.sqlite3")


def result(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "result.json").read_text())


def refused(here: Path, emulator: EmulatorThread, capsys) -> str:
    """What was said of a sweep of which nothing was sent or written."""
    assert [*here.iterdir()] == []
    assert emulator.ledger()["requests"] == {}
    return capsys.readouterr().err


def test_a_sweep_above_its_budget_is_refused_with_the_sum_and_what_would_be_enough(sweep, here, emulator, capsys):
    assert sweep(TWO, "budget.max_usd=1") == 3
    said = refused(here, emulator, capsys)
    assert "the 2 runs would cost $1.20, above budget.max_usd=1; nothing was sent or written" in said
    assert "budget.max_usd=1.20" in said
    assert sweep(TWO, "budget.max_usd=1.20") == 0


def test_a_run_above_its_own_limit_is_refused_with_its_number(sweep, here, emulator, capsys):
    assert sweep(TWO, "budget.max_usd_per_run=0.5") == 3
    said = refused(here, emulator, capsys)
    assert "run 1 would cost $0.80, above budget.max_usd_per_run=0.5" in said
    assert "budget.max_usd_per_run=0.80" in said


def test_a_dry_run_shows_its_table_before_the_verdict(sweep, here, emulator, capsys):
    assert sweep(TWO, "budget.max_usd=1", "dry_run=true") == 3
    said = capsys.readouterr()
    assert "$1.20 of $1.00 budget" in said.out
    assert "would cost $1.20" in said.err
    assert sweep(TWO, "budget.max_usd=2", "dry_run=true") == 0
    assert sweep(TWO, "budget.confirm_above_usd=1", "dry_run=true") == 0
    assert "asks before it starts, as that is above $1.00 (yes=true answers)" in capsys.readouterr().out
    refused(here, emulator, capsys)


def test_a_budget_is_not_guessed_for_an_unknown_price(sweep, here, emulator, capsys):
    unknown = ("model.usd_per_second=null", TWO, "budget.max_usd=2")
    assert sweep(*unknown) == 2
    said = refused(here, emulator, capsys)
    assert "no source gives a price for runs 0-1" in said
    assert "budget.assume_usd_per_run=" in said
    assert sweep(*unknown, "budget.assume_usd_per_run=1.05") == 3
    assert "would cost $2.10" in refused(here, emulator, capsys)
    assert sweep(*unknown, "budget.assume_usd_per_run=1") == 0
    assert [result(here / "out" / number)["spent_usd"] for number in "01"] == [1, 1]


IMAGES = ("model=gpt-image-2", "request=square_image", "request.quality=low,high")
"""Two runs of no list price, some $0.008 and $0.21 by their tokens."""


@pytest.fixture
def image_sweep(here, emulator, monkeypatch):
    """Sweep over images at an emulator reached as OpenAI; the result is the exit code."""
    monkeypatch.setenv("OPENAI_API_KEY", "an-emulated-key")
    usual = (
        "provider=openai",
        f"provider.base_url={emulator.base_url}",
        "progress=off",
        "hydra.sweep.dir=out",
        *IMAGES,
    )
    return lambda *overrides: run(["-m", *usual, *overrides])


def test_images_without_a_list_price_are_seen_by_consent_and_budget(image_sweep, here, emulator, capsys):
    assert image_sweep("budget.confirm_above_usd=0.01") == 2
    said = refused(here, emulator, capsys)
    assert "these 2 runs would cost about $0.27 (estimated from tokens, with a margin of 25%)" in said
    assert image_sweep("request.n=10", "budget.max_usd=0.5") == 3
    assert "the 2 runs would cost about $2.74 (estimated from tokens" in refused(here, emulator, capsys)
    assert image_sweep("budget.assume_usd_per_run=0", "budget.max_usd=0.2") == 3, "assumed only where nothing is known"
    refused(here, emulator, capsys)


def test_what_images_really_took_replaces_the_estimate(image_sweep, here, capsys):
    assert image_sweep("budget.max_usd=1") == 0
    for number, tokens in ((0, 272), (1, 4160)):
        kept = result(next(here.rglob(f"{number}/result.json")).parent)
        assert kept["cost"]["estimated_from"] == "tokens"
        assert kept["cost"]["actual_usd"] == pytest.approx(tokens * 30 / 1e6, abs=1e-3)
        assert kept["spent_usd"] == kept["cost"]["actual_usd"]
    said = capsys.readouterr().out
    assert "$0.13 spent of about $0.22 estimated · $0.13 of $1.00 budget" in said


def test_a_fallback_of_unknown_price_cannot_hide_from_a_budget(sweep, here, emulator, capsys):
    fallback = "fallbacks=[{model: {name: sora-2, usd_per_second: null}}]"
    assert sweep(fallback, "budget.max_usd=2") == 2
    assert "no source gives a price for the run" in refused(here, emulator, capsys)


def test_one_sweep_has_one_budget(sweep, here, emulator, capsys):
    assert sweep("budget.max_usd=2,3", "replica=0,1") == 2
    assert "budget: is not that of run 0" in refused(here, emulator, capsys)


def test_a_sum_above_the_threshold_needs_consent_and_without_a_terminal_it_must_be_typed(sweep, here, emulator, capsys):
    assert sweep(TWO, "budget.confirm_above_usd=1") == 2
    said = refused(here, emulator, capsys)
    assert "these 2 runs would cost $1.20 at list price, above budget.confirm_above_usd=1" in said
    for way in ("yes=true", "budget.max_usd=1.20", "dry_run=true"):
        assert way in said


@pytest.mark.parametrize("consent", ["yes=true", "budget.max_usd=1.20", "budget.confirm_above_usd=null"])
def test_consent_a_budget_or_no_threshold_let_it_start(sweep, here, consent):
    threshold = [] if "confirm" in consent else ["budget.confirm_above_usd=1"]
    assert sweep(TWO, consent, *threshold) == 0
    saved = (here / "out" / "0" / ".hydra" / "config.yaml").read_text()
    assert ("'yes': true" if consent == "yes=true" else "'yes': false") in saved, "as YAML can read it back"


def test_emulated_work_never_asks_and_counts_only_if_asked_for(here, capsys):
    quick = ["-m", TWO, "provider.latency=0.05", "provider.poll_interval=0.05", "progress=off"]
    limits = ["budget.max_usd=0.1", "budget.max_usd_per_run=0", "budget.confirm_above_usd=0"]
    assert run([*quick, *limits, "hydra.sweep.dir=out"]) == 0
    assert "$0.00 of $0.10 budget" in capsys.readouterr().out
    assert run([*quick, "budget.confirm_above_usd=0", "hydra.sweep.dir=other"]) == 0
    assert run([*quick, *limits, "budget.count_emulator=true", "hydra.sweep.dir=counted"]) == 3
    assert not (here / "counted").exists()


def test_failed_jobs_are_paid_for_and_the_end_says_how_to_go_on_with_more(
    sweep, here, other_runs, make_emulator, capsys
):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "every": 1, "fault": "internal"}])
    fallback = f"fallbacks=[{{provider: {{base_url: '{other_runs.base_url}', kind: openai, retired_models: 'off'}}}}]"
    assert sweep(TWO, fallback, "budget.max_usd=1.50", server=server) == 3
    assert (server.ledger()["jobs"], other_runs.ledger()["jobs"]) == (2, 0)
    said = capsys.readouterr().out
    assert "python -m runner resume out budget.max_usd=2.40" in said, "what is spent, and the second choices"
    assert "$1.20 spent of " in said
    assert "$1.20 of $1.50 budget" in said
    assert [result(here / "out" / number)["spent_usd"] for number in "01"] == [0.4, 0.8]


def test_the_end_sums_costs_and_estimates(sweep, capsys):
    assert sweep(TWO, "budget.max_usd=5") == 0
    assert "$1.20 spent of $1.20 estimated · $1.20 of $5.00 budget" in capsys.readouterr().out


def test_batches_share_one_budget(sweep, here, other_runs, make_emulator):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    fallback = f"fallbacks=[{{provider: {{base_url: '{other_runs.base_url}', kind: openai, retired_models: 'off'}}}}]"
    runs = ("replica=0,1,2", "hydra.sweeper.max_batch_size=1", "budget.max_usd=1.20", fallback)
    assert sweep(*runs, server=server) == 3
    assert server.ledger()["jobs"] + other_runs.ledger()["jobs"] == 3
    assert [result(here / "out" / number)["status"] for number in "01"] == ["verified", "verified"]


def test_a_single_run_keeps_to_its_budget_too(sweep, here, emulator, capsys, monkeypatch):
    single = ["provider=openai", f"provider.base_url={emulator.base_url}", "provider.retired_models=off",
              "hydra.run.dir=one", "progress=off", "provider.poll_interval=0.02"]  # fmt: skip
    assert run([*single, "budget.max_usd=0.5"]) == 3
    assert "the run would cost $0.80, above budget.max_usd=0.5" in refused(here, emulator, capsys)
    assert run([*single, "budget.confirm_above_usd=0.5"]) == 2
    assert run([*single, "budget.confirm_above_usd=0.5", "dry_run=true"]) == 0
    assert "yes=true starts" in refused(here, emulator, capsys)
    assert run([*single, "budget.max_usd=0.8"]) == 0
    assert "$0.80 of $0.80 budget" in capsys.readouterr().out


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_other_launchers_ask_once_for_the_whole_sweep_and_keep_to_its_limits(sweep, here, emulator, capsys, launcher):
    foreign = (f"hydra/launcher={launcher}", TWO)
    assert sweep(*foreign, "budget.max_usd_per_run=0.5") == 3
    assert sweep(*foreign, "budget.confirm_above_usd=1") == 2
    refused(here, emulator, capsys)
    assert sweep(*foreign, "budget.confirm_above_usd=0.1", "yes=true") == 0


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_budget_that_other_launchers_cannot_keep_is_refused(sweep, here, emulator, capsys, launcher):
    assert sweep(f"hydra/launcher={launcher}", TWO, "budget.max_usd=50") == 2
    said = refused(here, emulator, capsys)
    assert said.count("budget.max_usd: cannot be kept by this hydra/launcher") == 1
    assert "hydra/launcher=runner" in said
    assert "budget.max_usd_per_run=" in said
    assert sweep(f"hydra/launcher={launcher}", TWO, "budget.max_usd_per_run=1") == 0


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_nor_is_it_kept_by_another_sweeper_with_another_launcher(sweep, emulator, capsys):
    study = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra/sweeper/sampler=random", "objective=cost"]
    choices = "request.duration_seconds=choice(4,8)"
    assert sweep(*study, "hydra/launcher=basic", choices, "budget.max_usd=50") == RunnerError.exit_code
    assert "run 0 is refused: budget.max_usd: cannot be kept" in capsys.readouterr().err
    assert emulator.ledger()["requests"] == {}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_another_sweepers_batches_add_up(sweep, emulator, capsys):
    study = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.n_jobs=2",
        "hydra/sweeper/sampler=random",
        "objective=cost",
        "request.duration_seconds=choice(4)",
    ]
    assert sweep(*study, "budget.max_usd=2") == 3
    assert emulator.ledger()["jobs"] == 4
    assert "on top of $1.60 that is spent or at risk" in capsys.readouterr().err
    assert sweep(*study, "budget.confirm_above_usd=1", directory="other") == 2
    assert emulator.ledger()["jobs"] == 6, "the second batch would take the sum above the threshold"


def test_resuming_needs_a_larger_budget_and_goes_on_with_it(sweep, here, other_runs, make_emulator, capsys):
    server = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    fallback = f"fallbacks=[{{provider: {{base_url: '{other_runs.base_url}', kind: openai, retired_models: 'off'}}}}]"
    assert sweep("replica=0,1,2", "budget.max_usd=1.20", fallback, server=server) == 3
    capsys.readouterr()
    assert run(["resume", "out", "progress=off"]) == 3
    assert "on top of $1.20 that is spent or at risk" in capsys.readouterr().err
    assert server.ledger()["jobs"] + other_runs.ledger()["jobs"] == 3
    assert run(["resume", "out", "progress=off", "budget.max_usd=1.60"]) == 0
    assert server.ledger()["jobs"] + other_runs.ledger()["jobs"] == 4
    assert {result(here / "out" / number)["status"] for number in "012"} == {"verified"}
    assert "$1.60 of $1.60 budget" in capsys.readouterr().out
