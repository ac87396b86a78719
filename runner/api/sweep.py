"""Execute many requests as one sweep, with a ledger, a page and a budget: `runner.sweep`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from runner.artifacts.atomic import disk_errors, make_directory, write_bytes
from runner.artifacts.run_status import RunStatus
from runner.compose.preflight import another_sweep, grouped, hidden, occupied, repeated, told, writable
from runner.config.problem import Problem, ranges
from runner.config.request import RequestConfig
from runner.config.restrictions import check_batch
from runner.config.run import Fallback, RunConfig, check_choices
from runner.config.shipped import option
from runner.engine.payment import settled
from runner.engine.recorder import planned
from runner.engine.run import Outcome, Run
from runner.engine.scheduler import Scheduler, Services
from runner.errors import ConfigError, DiskError, RunnerError
from runner.ledger.discover import OUTPUTS
from runner.ledger.ledger import Ledger
from runner.ledger.other_runs import LedgerIndex
from runner.ledger.recording import entered, reconcile, recording
from runner.ledger.reuse import new_run
from runner.results.loading import Sweep, load_sweep
from runner.sweeps.consent import payable
from runner.sweeps.execution import Executed, Execution

from .config import GenerationConfig, ImageGenerationConfig, Keys, Kind, VideoGenerationConfig, handler_of
from .generate import new_request_id, waited
from .order import Order, check_affordable, choices_of, flattened, problems_of, replicas_of, request_of
from .progress import Callback, Progress
from .request import GenerationRequest, ImageGenerationRequest, VideoGenerationRequest

Configs = GenerationConfig | Sequence[GenerationConfig]
Requests = GenerationRequest | Sequence[GenerationRequest]

_log = logging.getLogger("runner")


async def sweep_async(
    configs: Configs,
    requests: Requests,
    *,
    output_dir: str | Path | None = None,
    budget_usd: float | None = None,
    batch: bool = False,
    storage: str | Mapping[str, object] | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    on_progress: Callback | None = None,
) -> Sweep:
    """Send every request to every config of its kind, as one sweep, without blocking the event loop.

    All runs are checked and priced before the first is sent: `ConfigError` has all that is wrong, `BudgetError` comes
    where their sum passes `budget_usd` (US dollars), which nothing that is sent later passes either. A run that fails
    does not raise: its `status` and `error` tell. What keeps every run from being sent does, and a `DiskError`.

    With `batch`, images go out in batches, mostly at half price, and the call waits for their results, up to 24 hours.
    A call that is broken off leaves the batch at work, and the same call collects it.

    `storage` is an address as "s3://bucket/prefix", to which each run is uploaded once it has ended, and page, tables
    and ledger at the end; or a mapping of `url`, `keep_local`, `concurrency` and `patience_seconds`. An address that
    cannot be used is a `ConfigError` before anything is sent. What could not be uploaded is logged as a warning, and
    the same call uploads it.

    `output_dir` (default: a new one below outputs/multirun/) gets the ledger, results.csv, results.jsonl, index.html
    and a directory for each run. The same call with the same `output_dir` goes on where it was left, and pays for
    nothing twice; so does `python -m runner resume DIR`. Keys that configs hold are not written. `on_progress` gets
    the updates of all runs, whose `run` is the run's number. `name` and `tags` are shown where sweeps are listed.
    """
    directory = _directory(output_dir)
    progress = Progress(on_progress, new_request_id())
    with ExitStack() as stack:
        staged = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runner-")))
        settings = {"budget": {"max_usd": budget_usd}, "batch": batch, "name": name, "tags": tags}
        settings["storage"] = {} if storage is None else {"url": storage} if isinstance(storage, str) else storage
        order = await asyncio.to_thread(_planned, configs, requests, directory, staged, settings)
        _log.info("the sweep is kept in %s", directory)
        ledger, execution = await settled(asyncio.to_thread(_begun, order, directory, staged, progress, stack))
        outcome = await _executed(execution, ledger, order, progress)
    if outcome.stopped_by is not None and _stops_all(outcome):
        raise outcome.stopped_by
    return await asyncio.to_thread(load_sweep, directory)


def sweep(
    configs: Configs,
    requests: Requests,
    *,
    output_dir: str | Path | None = None,
    budget_usd: float | None = None,
    batch: bool = False,
    storage: str | Mapping[str, object] | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    on_progress: Callback | None = None,
) -> Sweep:
    """Send every request to every config of its kind, as one sweep, and wait for it, as `sweep_async` does.

    Ctrl-C stops submitting, waits for answers that were paid, keeps every job's id, and raises `KeyboardInterrupt`.
    Inside a running event loop (a notebook) the work is done in a thread; the loop waits.
    """
    return waited(
        sweep_async(
            configs,
            requests,
            output_dir=output_dir,
            budget_usd=budget_usd,
            batch=batch,
            storage=storage,
            name=name,
            tags=tags,
            on_progress=on_progress,
        )
    )


def _directory(output_dir: str | Path | None) -> Path:
    started = f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S}-{secrets.token_hex(2)}"
    chosen = OUTPUTS / "multirun" / started if output_dir is None else Path(output_dir).expanduser()
    return Path(os.path.abspath(chosen))  # noqa: PTH100 - as the ledger's index makes paths


async def _executed(execution: Execution, ledger: Ledger, order: Order, progress: Progress) -> Outcome:
    """Let the engine do what is left; a sweep that is cancelled is left in good order, with page and results."""
    left = execution.left
    services: Services = {**execution.services, "create": order.create}
    try:
        outcome = await Scheduler(left, execution.observer, **services).run() if left else Outcome()
        await progress.finish()
    except BaseException:
        progress.drop()
        known = {run.index: run.earlier or planned(run, time.time()) for run in ledger.runs()}
        so_far = Executed({run.index: (known[run.index], None) for run in left}, interrupted=signal.SIGINT)
        await settled(asyncio.to_thread(execution.finish, so_far))
        raise
    ends = zip(outcome.results, outcome.errors, strict=False)
    executed = Executed({run.index: end for run, end in zip(left, ends, strict=False)}, stopped_by=outcome.stopped_by)
    finishing = asyncio.create_task(asyncio.to_thread(execution.finish, executed))
    try:
        return await asyncio.shield(finishing)
    except asyncio.CancelledError:
        execution.stop_uploading()
        await finishing
        raise


def _stops_all(outcome: Outcome) -> bool:
    """Return whether the error that ended submitting is nowhere else to be read: no run has it, and none was sent."""
    untouched = all(result.status is RunStatus.PLANNED and result.error is None for result in outcome.results)
    return isinstance(outcome.stopped_by, DiskError) or untouched


def _begun(
    order: Order, directory: Path, staged: Path, progress: Progress, stack: ExitStack
) -> tuple[Ledger, Execution]:
    """Open the ledger, record the runs in it, and take over what is done; raises `RunnerError`."""
    ledger = stack.enter_context(recording(directory))
    before = reconcile(ledger)
    _warn(before.problems)
    runs = entered(ledger, _with_inputs(order.runs, staged, directory / "inputs"), before.runs)
    execution = Execution(
        runs,
        dict.fromkeys((run.directory for run in runs), ledger),
        _make_directory,
        directory=directory,
        observers=[progress],
        tell=_warn,
    )
    return ledger, stack.enter_context(execution)


def _make_directory(run: Run) -> None:
    make_directory(run.directory)


def _warn(problems: Iterable[Problem]) -> None:
    for problem in problems:
        _log.warning("%s", problem)


def _with_inputs(runs: Sequence[Run], staged: Path, inputs: Path) -> list[Run]:
    """Return the runs with images that were given as bytes kept in `inputs`, each under a name of its content."""
    places = {str(path): path for path in staged.rglob("*") if path.is_file()}
    for name, path in places.items():
        content = path.read_bytes()
        places[name] = inputs / f"{hashlib.sha256(content).hexdigest()[:16]}{path.suffix}"
        if not places[name].exists():
            with disk_errors(inputs):
                inputs.mkdir(exist_ok=True)
            write_bytes(places[name], content)
    return [replace(run, config=_moved(run.config, places)) for run in runs] if places else [*runs]


def _moved(config: RunConfig, places: Mapping[str, Path]) -> RunConfig:
    def there(image: str) -> str:
        return str(places.get(image, image))

    request = config.request
    moved: dict[str, object] = {}
    if request.kind == "image":
        masks = {"mask_image": request.mask_image, "markup_image": request.markup_image}
        moved = {name: there(image) for name, image in masks.items() if image is not None}
    request = request.with_images(map(there, request.images)).model_copy(update=moved)
    return config.model_copy(update={"request": request})


class _LastingKeys(Keys):
    """Name each key by a variable that a later process can read it from: the provider's own, or one with a number.

    A variable that holds another key, or that a config without a key reads, is no key's name.
    """

    def __init__(self, configs: Sequence[GenerationConfig]) -> None:
        super().__init__()
        choices = [choice for config in configs for choice in flattened(config)]
        self._read = {_usual(choice) for choice in choices if choice.api_key is None}

    def add(self, key: SecretStr, _number: int, usual: str | None) -> str:
        """Return the variable's name."""
        usual = usual or "API_KEY"
        return next(name for name in _numbered(usual) if self._takes(name, key))

    def _takes(self, name: str, key: SecretStr) -> bool:
        text = key.get_secret_value()
        if name in self._read or os.environ.get(name, text) != text:
            return False
        return self._keys.setdefault(name, key) == key


def _usual(config: GenerationConfig) -> str | None:
    return config.provider_config.get("api_key_env") or (option("provider", config.provider) or {}).get("api_key_env")


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


Pair = tuple[int | None, int | None]
"""The numbers of the config and the request that a problem is about; None: all."""


@dataclass(slots=True)
class _Plan:
    """Hold the runs as they are planned, and what is wrong with any."""

    directory: Path
    runs: list[Run] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """The config and the request of each run, by their numbers."""
    problems: list[tuple[Pair, Problem]] = field(default_factory=list)

    def add(self, config: RunConfig, pair: tuple[int, int]) -> None:
        """Plan a run."""
        index = len(self.runs)
        self.runs.append(new_run(index, config, self.directory / str(index)))
        self.pairs.append(pair)

    def refuse(self, error: RunnerError, pair: Pair) -> None:
        """Take note of an error."""
        self.problems.append((pair, Problem("", error.message, error.hint)))


def _planned(
    given_configs: Configs,
    given_requests: Requests,
    directory: Path,
    staged: Path,
    settings: Mapping[str, object],
) -> Order:
    """Return all runs, checked together; raises `ConfigError` with all that is wrong, and `BudgetError`."""
    import runner.providers.sdk  # noqa: F401 - takes half a second, which must not be the event loop's

    configs = [given_configs] if isinstance(given_configs, GenerationConfig) else [*given_configs]
    requests = [given_requests] if isinstance(given_requests, GenerationRequest) else [*given_requests]
    _check_types(configs, requests)
    keys, plan, notes = _LastingKeys(configs), _Plan(directory), list[str]()
    asked = _asked(requests, staged, plan)
    offered = _offered(configs, keys, plan, notes)
    # Requests first: a list with more requests at its end goes on with the runs of the shorter one.
    for number, request in asked.items():
        for place, choices in offered.items():
            if _kind(configs[place]) == request.kind:
                _add_runs(plan, replicas_of(choices, request, settings), (place, number), keys)
    plan.problems += _duplicates(plan)
    if (problem := _place(plan)) is not None:
        plan.problems.append(((None, None), problem))
    if plan.runs and plan.runs[0].config.storage.url is not None:
        from runner.storage.address import check_storage  # few have a storage

        plan.problems += [((None, None), problem) for problem in check_storage(plan.runs[0].config)]
    _refuse(plan, notes, len(configs), len(requests))
    left = payable(plan.runs, directory)
    check_affordable(left.runs, "budget_usd", spent=left.spent)
    return Order(tuple(plan.runs), keys, tuple(notes))


def _check_types(configs: Sequence[object], requests: Sequence[object]) -> None:
    _check_type("configs", configs, (VideoGenerationConfig, ImageGenerationConfig))
    _check_type("requests", requests, (VideoGenerationRequest, ImageGenerationRequest))


def _check_type(name: str, given: Sequence[object], kinds: tuple[type, ...]) -> None:
    others = [type(each).__name__ for each in given if not isinstance(each, kinds)]
    if others or not given:
        said = f"holds a {others[0]}" if others else "is empty"
        raise ConfigError(f"{name} {said}; nothing was sent", hint=" or ".join(kind.__name__ for kind in kinds))


def _kind(given: GenerationConfig | GenerationRequest) -> Kind:
    return "image" if isinstance(given, ImageGenerationConfig | ImageGenerationRequest) else "video"


def _asked(requests: Sequence[GenerationRequest], staged: Path, plan: _Plan) -> dict[int, RequestConfig]:
    """Return the requests that can be made, by their numbers."""
    found = {}
    for number, request in enumerate(requests):
        try:
            found[number] = request_of(request, _kind(request), staged / str(number), thumbnail=True)
        except ConfigError as error:
            plan.refuse(error, (None, number))
    return found


def _offered(
    configs: Sequence[GenerationConfig], keys: Keys, plan: _Plan, notes: list[str]
) -> dict[int, list[Fallback]]:
    """Return the choices of the configs that can be used, by their numbers."""
    found = {}
    for number, config in enumerate(configs):
        try:
            _refuse_unfit(config)
            state_file = plan.directory / ".emulator" / "state.sqlite3"
            found[number], said = choices_of(config, _kind(config), keys, state_file)
            notes += said
        except ConfigError as error:
            plan.refuse(error, (number, None))
    return found


def _refuse_unfit(config: GenerationConfig) -> None:
    own = next((choice.provider for choice in flattened(config) if handler_of(choice) is not None), None)
    if own is not None:
        raise ConfigError(
            f"{own} is a provider of register_provider, which has no ledger, so that its requests could be paid twice",
            hint="generate_video and generate_image call it",
        )
    if config.max_usd is not None:
        raise ConfigError("max_usd is for single calls", hint="sweep(…, budget_usd=…) bounds the sum of all runs")


def _add_runs(plan: _Plan, replicas: Sequence[RunConfig], pair: tuple[int, int], keys: Keys) -> None:
    found = check_choices(replicas[0], partial(problems_of, keys=keys))
    if replicas[0].batch:
        found += check_batch(replicas[0])
    plan.problems += [(pair, problem) for problem in found]
    for replica in replicas:
        plan.add(replica, pair)


def _duplicates(plan: _Plan) -> Iterator[tuple[Pair, Problem]]:
    """Yield the runs that would be paid twice."""
    for index, first in repeated(plan.runs):
        config, request = plan.pairs[first]
        message = f"would do and pay the same work as configs[{config}] with requests[{request}]"
        hint = "leave one out; number_of_videos=N asks for N videos, n=N for N images"
        yield plan.pairs[index], Problem("", message, hint)


def _place(plan: _Plan) -> Problem | None:
    """Return why the sweep cannot be written to its directory, if so."""
    ledgers, key = LedgerIndex(), "output_dir"
    if (found := writable(plan.directory, key)) is not None:
        return found
    for run in plan.runs:
        known = ledgers.find(run.directory) if run.fingerprint else None
        if run.fingerprint and (found := occupied(run.directory, run.fingerprint, known, key)) is not None:
            return found
    own = {run.directory for run in plan.runs}
    return hidden(plan.directory, own, ledgers, key) or another_sweep(plan.directory, own, ledgers, key)


def _refuse(plan: _Plan, notes: list[str], configs: int, requests: int) -> None:
    """Raise `ConfigError` with all errors of the plan; without any, log the warnings, and what nobody asks for."""
    found = grouped(plan.problems)
    errors = {problem: pairs for problem, pairs in found.items() if problem.severity == "error"}
    if not errors and (idle := _idle(plan, configs, requests)):
        errors = {Problem("", f"{idle} would do nothing: a config takes requests of its kind"): [(None, None)]}
    if errors:
        text = ["the sweep is refused; nothing was sent or written."]
        for problem, pairs in errors.items():
            text += told(problem, _where(pairs, configs, requests))
        raise ConfigError("\n".join(text))
    notes[:] = dict.fromkeys([*notes, *map(str, found)])
    for note in notes:
        _log.warning("%s", note)


def _idle(plan: _Plan, configs: int, requests: int) -> str:
    """Return the first config or request that no run has; empty if all have one."""
    used = [{pair[side] for pair in plan.pairs} for side in (0, 1)]
    idle = [f"configs[{number}]" for number in range(configs) if number not in used[0]]
    idle += [f"requests[{number}]" for number in range(requests) if number not in used[1]]
    return next(iter(idle), "")


def _where(pairs: Sequence[Pair], configs: int, requests: int) -> str:
    """Return which configs and requests have a problem; empty where it is about the whole sweep."""
    sides = []
    columns = zip(*pairs, strict=True)
    for name, column, total in zip(("configs", "requests"), columns, (configs, requests), strict=True):
        numbers = {number for number in column if number is not None}
        if 0 < len(numbers) < total:
            sides.append(f"{name}[{ranges([*numbers])}]")
    return f"{' with '.join(sides)}: " if sides else ""
