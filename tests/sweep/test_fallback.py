"""`fallbacks` from the command line: composed, checked, priced, executed and recorded."""

from __future__ import annotations

import io
import json

from rich.console import Console

from runner.app import run
from runner.compose.preflight import preflight
from runner.sweeps.consent import print_dry_run

EMULATED = "fallbacks=[{provider: {kind: emulator, latency: 0.05, poll_interval: 0.05}}]"


def test_a_sweep_goes_on_elsewhere_and_its_records_say_so(sweep, here):
    assert sweep("provider.base_url=http://127.0.0.1:9/v1", EMULATED, "request.duration_seconds=4,8") == 0
    for number in range(2):
        result = json.loads((here / "out" / str(number) / "result.json").read_text())
        assert (result["status"], result["provider"], result["choice"]) == ("verified", "emulator", 1)
        assert [attempt["provider"] for attempt in result["attempts"]] == ["openai", "emulator"]
        assert result["config"]["provider"]["kind"] == "openai"


def test_options_of_a_folder_of_ones_own_are_found(here, capsys):
    folder = here / "mine" / "model"
    folder.mkdir(parents=True)
    (folder / "dear.yaml").write_text("defaults: [sora-2]\nname: dear\nusd_per_second: {default: 25}\n")
    command = ["--config-dir", "mine", "dry_run=true", "request.duration_seconds=4", "fallbacks=[{model: dear}]"]
    assert run(command) == 0
    assert "$100.40 if every fallback is needed" in capsys.readouterr().out
    assert run([*command, "-m"]) == 0
    assert "$100.40 if every fallback is needed" in capsys.readouterr().out


def test_fallbacks_are_checked_before_anything_is_sent(sweep, here, emulator, capsys):
    assert sweep("fallbacks=[{provider: azure_openai}]", "request.duration_seconds=4,8") == 2
    said = capsys.readouterr().err
    assert said.count("fallbacks.0.provider.base_url: is missing") == 1
    assert emulator.ledger()["jobs"] == 0
    assert list(here.iterdir()) == []


def test_runs_share_their_fallbacks(planner):
    plan = planner.plan([["fallbacks=[{model: sora-2-pro}]", f"replica={number}"] for number in range(3)])
    assert len({id(run.config.fallbacks) for run in plan.runs}) == 1
    assert preflight(plan, env={}) == []


def test_the_dry_run_prices_the_first_choice_and_notes_the_worst_case(planner):
    runs = planner.plan([["fallbacks=[{model: sora-2-pro}]", "request.duration_seconds=4"]]).runs
    text = io.StringIO()
    print_dry_run(runs, Console(file=text, width=300))
    assert "$0.40 at list price · $1.60 if every fallback is needed" in text.getvalue()
