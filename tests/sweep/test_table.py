"""The dry run's table: every parameter that differs, every price, and no unknown price counted as nothing."""

from __future__ import annotations

import io

from rich.console import Console

from runner.compose.plan import Planner
from runner.engine.run import Run
from runner.sweeps.consent import print_dry_run


def printed(runs: list[Run], width: int = 80) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False)
    print_dry_run(runs, console)
    return text.getvalue().splitlines()


def planned(planner: Planner, *jobs: list[str]) -> list[Run]:
    plan = planner.plan(jobs)
    assert plan.findings == []
    return plan.runs


def test_prices_each_run_and_their_sum(planner: Planner) -> None:
    lines = printed(planned(planner, ["request.duration_seconds=4"], ["request.duration_seconds=12"]))
    assert lines[0].split() == ["run", "duration_seconds", "price"]
    assert lines[1].split() == ["0", "4", "$0.40"]
    assert lines[2].split() == ["1", "12", "$1.20"]
    assert lines[3].startswith("2 runs · $1.60 at list price")
    assert "nothing was sent or written" in lines[3]


def test_an_unknown_price_makes_the_sum_a_lower_bound(planner: Planner) -> None:
    lines = printed(planned(planner, ["model.usd_per_second=null"], ["request.duration_seconds=4"]))
    assert "unknown" in lines[1]
    assert "≥ $0.40 at list price · 1 of unknown price" in lines[-1]


def test_keeps_to_its_width_whatever_prompts_say(planner: Planner) -> None:
    jobs = planned(planner, *([f"request.prompt='{letter * 3000}\\x1b[31m'", "+x@y=1"][:1] for letter in "ab"))
    assert max(map(len, printed(jobs)[:-1])) <= 80
    assert not any("\x1b" in line for line in printed(jobs))


def test_ten_thousand_runs_show_head_and_tail(planner: Planner) -> None:
    (run,) = planned(planner, ["request.duration_seconds=4"])
    configs = [run.config.model_copy(update={"replica": n}) for n in range(10_000)]
    lines = printed([Run(n, config, run.directory, (f"replica={n}",)) for n, config in enumerate(configs)])
    assert len(lines) < 70
    assert lines[1].split()[0] == "0"
    assert lines[-2].split()[0] == "9999"
    assert "10,000 runs · $4,000.00" in lines[-1]
