"""Say what runs will cost, in one line or as the table of `dry_run=true`, and ask before anything is paid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.artifacts.run_status import RunStatus
from runner.config.estimate import Estimate
from runner.config.price import MARGIN, Price, expected_price
from runner.config.problem import Problem, ranges
from runner.config.provider import PoolMember, members_of, server_names
from runner.config.request import prompts_in
from runner.config.run import Budget, RunConfig, passes
from runner.display.output import answered, print_problems, say
from runner.display.shortening import Shortening
from runner.engine.run import Run
from runner.errors import BudgetError, ConfigError, RunnerError
from runner.ledger.budget import Sum, check_budget, counted, rounded_up
from runner.ledger.budget import spent as spent_by
from runner.ledger.ledger import Ledger
from runner.ledger.other_runs import LedgerIndex
from runner.ledger.reuse import Reuse, Storages
from runner.results.varying import varying
from runner.shell import word

if TYPE_CHECKING:
    from rich.console import Console


_PROMPT_FILE = re.compile(r"\+*request\.prompt_file=")
_ONE_PROMPT = "yes=true sends it as one prompt"


def agree(runs: Sequence[Run], *, spent: float = 0.0) -> None:
    """Return if these runs may begin; asks on a terminal where their sum wants consent.

    `spent` is what the sweep's other runs count already, in US dollars. Raises `BudgetError` where a limit would be
    passed, `ConfigError` for an unknown price under a limit or without consent.
    """
    total = check_budget(runs, spent=spent)
    configs = [run.config for run in runs]
    if not asks(configs, total, spent):
        return
    sum_of = "this run" if len(configs) == 1 else f"these {len(configs):,} runs"
    unknown = f", {total.unknown:,} of them of unknown price" if total.unknown else ""
    limit = rounded_up(spent + total.usd)
    _ask(
        f"{sum_of} would cost {total}{'' if total.rough else ' at list price'}{unknown}",
        "Start?",
        f"yes=true starts; budget.max_usd={limit} starts and keeps to it; dry_run=true shows the prices",
        unasked=f", above budget.confirm_above_usd={configs[0].budget.confirm_above_usd:g}",
    )


def agree_to_prompts(runs: Iterable[Run]) -> None:
    """Return if a prompt of many short lines is meant as one; asks on a terminal.

    Raises `ConfigError` without consent. A dry run is only warned.
    """
    for run in runs:
        meant = run.config.yes or run.config.run.id is not None  # a table says where each prompt ends
        count = 1 if meant else prompts_in(run.config.request.prompt)
        if count == 1:
            continue
        file = next((line.partition("=")[2].strip("'\"") for line in run.overrides if _PROMPT_FILE.match(line)), None)
        what = f"request.prompt_file={file}" if file else "request.prompt"
        said = f"{what} has {count} short lines that would be sent as one prompt"
        if run.config.dry_run:
            print_problems([Problem("", said, _apart(file), severity="warning")])
        else:
            _ask(said, "Is it one prompt?", f"{_ONE_PROMPT}; {_apart(file)}")
        return


def _apart(file: str | None) -> str:
    """Return how the lines become prompts of their own."""
    if file is None:
        return "as a prompt for each: -m \"request.prompt='first','second'\""
    return f"as a prompt for each line: python -m runner -m {word(f'prompts={file}')}"


def _ask(what: str, question: str, ways: str, *, unasked: str = "") -> None:
    """Return if the question is answered with yes.

    Raises `ConfigError` if it is not, or if nobody can be asked, which says `unasked`, too.
    """
    answer = answered(f"{what}. {question}")
    if answer is None:
        raise ConfigError(f"{what}{unasked}, and there is no terminal to ask on; nothing was sent", hint=ways)
    if not answer:
        raise ConfigError("not started; nothing was sent", hint=ways)


def agree_to_new(runs: Iterable[Run], directory: Path, *, spent: float = 0.0) -> tuple[str, ...]:
    """Do the same for runs as they were planned, of which some may be done already or need not be paid.

    What is reused, or cannot be, is said before, and returned.
    """
    left = payable(runs, directory)
    for line in left.notes:
        say(line)
    agree(left.runs, spent=max(spent, left.spent))
    return left.notes


def agree_to_rest(runs: Sequence[Run]) -> tuple[set[int], RunnerError | None]:
    """Return the budget for runs that were begun before: the indexes of those that must not be paid now, and why not.

    What exists already is collected in any case, however much was spent. Nothing is asked: the runs were agreed to
    when they were begun, and what is paid anew was asked for by name.
    """
    paying = payers(runs)
    if not paying:
        return set(), None
    before = spent_by((run.earlier for run in runs if run.earlier is not None), paying[0].config.budget)
    try:
        check_budget(paying, spent=before)
    except (BudgetError, ConfigError) as error:
        return {run.index for run in paying}, error
    return set(), None


def payers(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that would send a paid request if they went on."""
    return [run for run in runs if run.open and run.pays]


def asks(configs: Sequence[RunConfig], total: Sum, spent: float = 0.0) -> bool:
    """Return whether the sum wants consent: alone, or as what takes the sweep's above the threshold."""
    if not configs or configs[0].budget.max_usd is not None or all(config.yes for config in configs):
        return False
    threshold = configs[0].budget.confirm_above_usd
    crossing = not passes(spent, threshold) and passes(spent + total.usd, threshold)
    return passes(total.usd, threshold) or crossing


class PlannedCost(NamedTuple):
    """Describe the runs that are left to be paid, and what their ledgers count already in US dollars.

    `notes` say what need not be paid because it lies finished elsewhere, and what could not be looked for there.
    """

    runs: list[Run]
    spent: float
    notes: tuple[str, ...] = ()


def reuse_of(directory: Path, *, keep: bool = True) -> Reuse:
    """Return what finds finished work for a sweep, or for a run, in this directory, also where it was uploaded to."""

    def storages() -> Storages:
        from runner.storage.fetching import UploadedRuns  # few have a storage

        return UploadedRuns()

    return Reuse(directory, storages, keep=keep)


def payable(runs: Iterable[Run], directory: Path) -> PlannedCost:
    """Look the runs up in the ledgers of their directories and, where they ask for it, among finished ones.

    `directory` is the sweep's, or the run's where there is one run and no sweep. Raises `ConfigError` where a storage
    does not give what is to be reused; for a dry run, that is a note.
    """
    runs = [*runs]
    unread: dict[int, ConfigError] = {}
    ledgers, reuse = LedgerIndex(), reuse_of(directory, keep=not any(run.config.dry_run for run in runs))
    places: dict[Path, Budget] = {}
    left = []
    for run in runs:
        found = ledgers.find(run.directory)
        if found is not None:
            places[found[0]] = run.config.budget
        begun = found is not None and found[1].status is not RunStatus.PLANNED
        if begun:
            continue
        try:
            source = reuse.find(run) if run.config.reuse else None
        except ConfigError as error:
            if not run.config.dry_run:
                raise
            source = None
            unread[run.index] = error
        if source is None:
            left.append(run)
    before = sum(_spent(place, budget) for place, budget in places.items())
    problems = [*dict.fromkeys(reuse.problems), *_unread(unread), *_misplaced(runs, directory)]
    return PlannedCost(left, before, (*map(noted, problems), *reuse.lines()))


def _unread(errors: Mapping[int, ConfigError]) -> Iterator[Problem]:
    """Yield what would end the command, of which this is the dry run."""
    if errors:
        which, first = f"run{'s' * (len(errors) > 1)} {ranges([*errors])}", next(iter(errors.values()))
        hint = "; ".join((first.hint or "").splitlines())
        yield Problem("", f"{which} would be refused: {first.message} ({hint})", severity="warning")


def _misplaced(runs: Sequence[Run], directory: Path) -> Iterator[Problem]:
    """Yield why a storage cannot be used, of which this is the dry run; a run that is none says so itself."""
    for url in {run.config.storage.url for run in runs if run.config.dry_run} - {None}:
        from runner.storage.uploading import refuse_misplaced  # few have a storage

        try:
            refuse_misplaced(str(url), directory, [run.directory for run in runs])
        except ConfigError as error:
            message = f"storage.url={url} cannot be used: {error.message} ({error.hint})"
            yield Problem("", message, severity="warning")


def noted(problem: Problem) -> str:
    """Return a problem as one of the notes, as it is printed elsewhere."""
    return f"{problem.severity}: {problem.text}"


def _spent(place: Path, budget: Budget) -> float:
    with Ledger(place, readonly=True) as ledger:
        return spent_by((run.earlier for run in ledger.runs() if run.earlier is not None), budget)


_MOST_COLUMNS = 60
_LONGEST = 90
"""Columns of a value, which stand on several lines."""
_MOST_SERVERS = 4
"""Of a pool's servers, so many are named."""
_MOST_ROWS = 60
"""Of more runs, the first and last halves of this are shown."""


def print_dry_run(
    runs: Sequence[Run], console: Console | None = None, note: str = "", left: PlannedCost | None = None
) -> None:
    """Print what would be sent and what it would cost; an unknown price is never counted as nothing.

    Raises what would keep the runs from beginning, after the table: `BudgetError`, or `ConfigError` for an unknown
    price. `left` are the runs that will be paid, where others are done already or reused.
    """
    from runner.display.grid import Head, Line, print_grid, print_lines

    left = left or PlannedCost([*runs], 0.0)
    paid = {run.index for run in left.runs}
    configs = [run.config for run in runs]
    differing = varying([run.overrides for run in runs], configs)
    prices = [expected_price(run.config) if run.index in paid else Price(0.0, "list") for run in runs]
    names = [key.removeprefix("request.") for key in differing.keys] or ["model"]
    heads = [Head("run", right=True), *(Head(name, most=_MOST_COLUMNS) for name in names), Head("price", right=True)]
    rows = []
    half, count = _MOST_ROWS // 2, len(runs)
    shown = [row for row in range(count) if count <= _MOST_ROWS or not half <= row < count - half]
    columns = [_shortened([differing.rows[row][place] for row in shown]) for place in range(len(differing.keys))]
    for number, row in enumerate(shown):
        if number == half and count > _MOST_ROWS:
            rows.append((["…", *("" for _ in heads[1:])], ""))
        run = runs[row]
        cells = [column[number] for column in columns] or [run.config.model.name]
        cost = str(Estimate.of([prices[row]])) if run.index in paid else "none: is there"
        rows.append(([str(run.index), *cells, cost], ""))
    print_grid(heads, rows, console)
    told = "\n".join(filter(None, (_summary(configs, prices, left), *left.notes, note)))
    print_lines(map(Line, told.split("\n")), console)
    check_budget(left.runs, spent=left.spent)


def _shortened(values: Sequence[object]) -> list[str]:
    texts = ["" if value is None else str(value) for value in values]
    shortening = Shortening(texts)
    return [shortening.short(text, _LONGEST) for text in texts]


def _summary(configs: Sequence[RunConfig], prices: Sequence[Price | None], left: PlannedCost) -> str:
    unknown, total = prices.count(None), Estimate.of(prices)
    source = "(estimated from tokens)" if total.rough else "at list price"
    parts = [f"{len(configs):,} run{'s' * (len(configs) != 1)}", f"{total} {source}"]
    if unknown and unknown < len(prices):
        parts.append(f"{unknown:,} of unknown price")
    if any(config.batch for config in configs):
        parts.append("sent in batches, at their price")
    if servers := max((members_of(config.provider) for config in configs), key=len):
        names = server_names(each.base_url for each in servers)
        named = [_member(each, names[each.base_url]) for each in servers[:_MOST_SERVERS]]
        named += ["…"] * (len(servers) > _MOST_SERVERS)
        parts.append(f"spread over {len(servers)} server{'s' * (len(servers) != 1)} ({'; '.join(named)})")
    if any(config.fallbacks for config in configs):
        worst = Estimate.of(expected_price(choice) for config in configs for choice in config.choices)
        parts.append(f"{worst} if every fallback is needed and what failed is charged, too")
    if all(config.provider.kind == "emulator" for config in configs):
        parts.append("on the emulator: free" + ", but counted" * configs[0].budget.count_emulator)
    parts += _limits(configs[0].budget, left)
    return " · ".join(parts) + " · dry run: nothing was sent or written"


def _member(member: PoolMember, name: str) -> str:
    """Return a server of a pool with what it gets, as in `gpu1:8000 with weight 2`."""
    weight = f" with weight {member.weight:g}" if member.weight != 1 else ""
    most = f", at most {member.max_concurrent_jobs} at a time" if member.max_concurrent_jobs is not None else ""
    return f"{name}{weight}{most}"


def _limits(budget: Budget, left: PlannedCost) -> Iterator[str]:
    configs = [run.config for run in left.runs]
    total = Sum.of([counted(config) for config in configs])
    if budget.max_usd is not None:
        margin = f", with a margin of {MARGIN - 1:.0%} on estimates" if total.rough else ""
        yield f"{Estimate(left.spent + total.usd, rough=total.rough)} of {Estimate(budget.max_usd)} budget{margin}"
    if asks(configs, total, left.spent):
        yield f"asks before it starts, as that is above {Estimate(budget.confirm_above_usd or 0.0)} (yes=true answers)"
