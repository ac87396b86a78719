"""Resume runs that an earlier process has left, from their ledger alone, or make saved runs again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runner.artifacts.atomic import make_directory
from runner.artifacts.result import Result
from runner.artifacts.result_file import NAME, read_result
from runner.artifacts.run_status import RunStatus
from runner.compose.documents import Documents
from runner.compose.plan import Plan
from runner.compose.preflight import Finding, PreflightError, endpoint_problems, lines, preflight, problems_of
from runner.config.estimate import Estimate
from runner.config.loading import load
from runner.config.problem import Problem, ranges
from runner.config.request import RequestConfig, VideoRequest
from runner.config.run import RunConfig
from runner.display.output import print_error, print_problems
from runner.engine.pool import lacks
from runner.engine.run import Run
from runner.errors import ConfigError, RunnerError
from runner.ledger.budget import spent
from runner.ledger.discover import find_ledgers, has_ledger
from runner.ledger.ledger import Ledger, rebuilding
from runner.ledger.other_runs import LedgerIndex
from runner.ledger.ownership import CopyError, keep_copy
from runner.ledger.recording import (
    Reconciled,
    entered,
    leads_elsewhere,
    linked_files,
    reconcile,
    recording,
    refuse_unknown,
    resumed_run,
    same_work,
)
from runner.ledger.reuse import fingerprint, new_run
from runner.ledger.summary import may_pass
from runner.providers.job import backend_id, is_id
from runner.results.reading import missing_files
from runner.results.state import state_of
from runner.shell import command, shown
from runner.tracking.tracker import Tracking

from .consent import PlannedCost, agree_to_new, agree_to_rest, payable, payers, print_dry_run
from .execution import Batches, execute
from .external_launcher import NotStartedError, not_started
from .given_keys import with_variables

_NAMED = 3
"""How many runs of a sweep without its ledger are named."""


class _HeldError(ConfigError):
    """Raised when some runs could not go on as things are; the others have."""

    def __init__(self, findings: Sequence[Finding], total: int) -> None:
        held = len({finding.run for finding in findings})
        what = "the run" if total == 1 else f"{held} of {total} runs"
        first = f"{what} could not go on as things are; nothing was sent for {'it' if held == 1 else 'them'}."
        super().__init__("\n".join([first, *lines(findings, total)]))


@dataclass(frozen=True, slots=True)
class Consent:
    """Describe what may be paid anew."""

    retry_failed: bool = False
    resubmit_uncertain: bool = False
    copied: bool = False
    """Whether a copy of a directory may pay for what its original may have paid for meanwhile."""
    adopt: tuple[tuple[int, str], ...] = ()
    """Runs whose answer was lost, by index, each with the job that the user says is its own."""


def resume(
    directory: Path,
    consent: Consent,
    overrides: Sequence[str],
    say: Callable[[str], object],
    *,
    ray: Sequence[str] = (),
) -> int:
    """Bring the directory's runs as far as they will go; the exit code tells of all of them.

    `say` hears when nothing is left to do. With `ray`, what is typed for it, a Ray cluster's processes execute them.
    Raises `ConfigError` where there is nothing to resume, or where `overrides` would change what is paid.
    """
    with Tracking(directory) as tracking:
        with ExitStack() as stack:
            ledgers = [stack.enter_context(recording(place)) for place in _places(directory)]
            found = {ledger: reconcile(ledger) for ledger in ledgers}
            for ledger, known in found.items():
                refuse_unknown(ledger.directory, known.runs)
                print_problems(known.problems)
            runs, owners = _runs(found, consent, overrides)
            if not runs:
                message = f"{directory} was left before any of its runs was planned; nothing was sent"
                raise ConfigError(message, hint="give the same command again")
            _check_adopted_jobs(runs, consent)
            batches = _on_ray(ray, [*found], runs) if ray else None
            if any(run.config.dry_run for run in runs):
                _print_dry_run(runs)
                return 0
            copied, copy_error = _copied(runs, owners, directory, consent)
            findings = [*_links(runs, owners), *_findings(runs), *_changed_inputs(runs)]
            if not any(run.open for run in runs):
                say(_nothing_to_do(runs))
            unaffordable, objection = agree_to_rest(runs)
            held = copied | unaffordable | {finding.run for finding in findings if finding.run is not None}
            tracked = [tracking.observer(runs)]
            outcome = execute(
                runs, owners, restore_directory, directory=directory, batches=batches, observers=tracked, held=held
            )
        for error in filter(None, [copy_error, *_objections(findings, len(runs), objection, directory, consent)]):
            print_error(error)
            outcome.stopped_by = outcome.stopped_by or error
        if consent.retry_failed and (note := _not_paid_again(runs, outcome.results)):
            say(note)
        if left := not_started(directory):
            print_error(NotStartedError(directory, left))
        return outcome.exit_code or (NotStartedError.exit_code if left else 0)


def _nothing_to_do(runs: Sequence[Run]) -> str:
    """Return that nothing is left to do, and what is not done about files that are gone."""
    lost = {run.directory: missing_files([(run.directory, run.earlier)]) for run in runs if run.earlier is not None}
    count, places = sum(map(len, lost.values())), [place for place, files in lost.items() if files]
    if not places:
        return "nothing to do"
    files = "1 file is" if count == 1 else f"{count:,} files are"
    again = command("repeat", shown(places[0]))
    done = f"nothing to do, though {files} missing or changed: the work was done and is not paid again"
    return f"{done}; {again} pays for it anew"


def _on_ray(typed: Sequence[str], ledgers: Sequence[Ledger], runs: Sequence[Run]) -> Batches:
    """Return that runs are executed on a Ray cluster; raises `ConfigError` where they cannot be."""
    from .on_ray import problems, ray_config, ray_engine  # few have one

    config = ray_config(typed)
    if found := problems(config, runs):
        raise PreflightError([Finding(None, problem) for problem in found], len(runs))
    if len(ledgers) > 1:
        message = "each of these runs has a ledger of its own, and Ray's workers share one; nothing was sent"
        raise ConfigError(message, hint="leave out what is typed for ray")
    return Batches(engine=ray_engine(config, ledgers[0]))


def _copied(
    runs: list[Run], owners: Mapping[Path, Ledger], directory: Path, consent: Consent
) -> tuple[set[int], RunnerError | None]:
    """Return the indexes of the runs that a copied directory must not pay for, and why; what exists is collected."""
    copies = {ledger: ledger.copy_of for ledger in owners.values() if ledger.copy_of is not None}
    if consent.copied:
        for ledger in copies:
            keep_copy(ledger)
        return set(), None
    held = {run.index for run in payers(runs) if owners[run.directory] in copies}
    for place, run in enumerate(runs):
        if owners[run.directory] in copies:
            # What the original has not collected yet must not be deleted from here.
            runs[place] = replace(run, config=run.config.model_copy(update={"delete_remote": False}))
    return held, CopyError(directory, next(iter(copies.values())), len(held)) if held else None


def _objections(
    findings: Sequence[Finding], total: int, objection: RunnerError | None, directory: Path, consent: Consent
) -> Iterator[RunnerError]:
    """Yield why runs were held back, the graver first, with the command that continues with more money."""
    if objection is not None:
        flags = " --retry-failed" * consent.retry_failed + " --resubmit-uncertain" * consent.resubmit_uncertain
        enough, _, _ = (objection.hint or "").partition(" ")
        objection.hint = f"{command('resume', directory)} {enough}{flags}"
        yield objection
    if findings:
        yield _HeldError(findings, total)


def _check_adopted_jobs(runs: Sequence[Run], consent: Consent) -> None:
    """Raise `ConfigError` unless each job that the user names can become that run's."""
    indexes, jobs = [index for index, _ in consent.adopt], [backend_id(job_id) for _, job_id in consent.adopt]
    if len(set(indexes)) < len(indexes) or len(set(jobs)) < len(jobs):
        raise ConfigError("--adopt names a run or a job twice; nothing was sent", hint="one job for each run")
    known = {run.index: run for run in runs}
    owners = {backend_id(job): run.index for run in runs if run.earlier is not None for job in run.earlier.job_ids}
    for index, job_id in consent.adopt:
        run = known.get(index)
        if run is None:
            problem = f"there is no run {index}"
        elif not run.status.lost or not isinstance(run.config.request, VideoRequest):
            state = state_of(run.status, busy=False)
            problem = f"run {index} is {state}, and only a video whose answer was lost can take a job over"
        elif backend_id(job_id) in owners:
            problem = f"job {job_id} belongs to run {owners[backend_id(job_id)]}"
        elif not is_id(job_id):
            problem = f"{job_id!r} cannot be a job's id"
        else:
            continue
        message = f"--adopt {index}={job_id}: {problem}; nothing was sent"
        raise ConfigError(message, hint="python -m runner show DIR tells of each run")


def _not_paid_again(runs: Sequence[Run], results: Sequence[Result]) -> str:
    """Return what paying for expired runs anew would cost, which nothing does by itself; empty if none has expired."""
    places = {run.index: run.directory for run in runs}
    expired = [result for result in results if result.status is RunStatus.EXPIRED]
    if not expired:
        return ""
    indexes = ranges([result.index for result in expired])
    first = command("repeat", shown(places[expired[0].index]))
    price = Estimate.total(result.cost.estimated_usd for result in expired)
    return (
        f"expired: run{'s' * (len(expired) > 1)} {indexes}; --retry-failed does not pay for "
        f"{'them' if len(expired) > 1 else 'it'} again, which would cost {price}: {first}"
    )


def _print_dry_run(runs: Sequence[Run]) -> None:
    """Print what resuming would pay; what exists is collected for nothing."""
    left = payers(runs)
    before = spent((run.earlier for run in runs if run.earlier is not None), runs[0].config.budget)
    print_dry_run(runs, left=PlannedCost(left, before))


def _places(directory: Path) -> list[Path]:
    """Return where the ledgers are: the directory itself, or, after a launcher that is not ours, each of its runs."""
    if has_ledger(directory):
        return [directory]
    known = LedgerIndex().find(directory.resolve())
    if known is not None:
        named = "this directory" if directory.resolve() == Path.cwd() else directory
        hint = command("resume", shown(known[0]))
        raise ConfigError(f"{named} is one run of a sweep", hint=hint)
    if (directory / NAME).is_file():
        _begin_ledger(directory)
        return [directory]
    alone = sorted(path.parent for path in directory.glob(f"*/{NAME}") if not has_ledger(path.parent))
    if (directory / "multirun.yaml").is_file() and not alone and (runs := [*find_ledgers(directory)]):
        return runs
    if left := not_started(directory):
        raise NotStartedError(directory, left)
    below = {path.parent for path in directory.glob("*/ledger.sqlite3")}
    if below and not alone:
        raise ConfigError(f"{directory} holds {len(below)} sweeps or runs", hint=command("ls", directory))
    if alone:
        raise ConfigError(
            f"{directory} has no ledger; {len(alone)} of its runs have a {NAME}, from which it can be built anew",
            hint=f"{rebuilding(directory)}\nor, each run alone:\n"
            + "\n".join(command("resume", run) for run in alone[:_NAMED])
            + f"\nand so on for {len(alone) - _NAMED} more" * (len(alone) > _NAMED),
        )
    raise ConfigError(f"{directory} holds no sweep and no run", hint="python -m runner ls")


def _begin_ledger(directory: Path) -> None:
    """Make the ledger of a run that was made without one, as by the Python API."""
    result = read_result(directory)
    work = fingerprint(result.config)
    run = Run(result.index, result.config, directory, tuple(result.overrides), fingerprint=work)
    with recording(directory) as ledger:
        entered(ledger, [run], ledger.runs())
        ledger.save(run.index, result)


def _runs(
    reconciled: Mapping[Ledger, Reconciled], consent: Consent, overrides: Sequence[str]
) -> tuple[list[Run], dict[Path, Ledger]]:
    runs, owners = [], {}
    found = [(ledger, run) for ledger, known in reconciled.items() for run in known.runs]
    adopted = dict(consent.adopt)
    for ledger, known in found:
        config = _changed(known, overrides, len(found)) if overrides else known.config
        result = known.earlier
        config = with_variables(config, result.attempts if result is not None else ())
        run = replace(
            resumed_run(replace(known, config=config), known),
            again=consent.retry_failed and result is not None and _may_be_retried(result),
            job=adopted.get(known.index),
            # The consent does not cover an answer that is lost from now on.
            resubmit=consent.resubmit_uncertain and result is not None and result.status.lost,
        )
        runs.append(run)
        owners[run.directory] = ledger
    return sorted(runs, key=lambda run: run.index), owners


def _changed(run: Run, overrides: Sequence[str], total: int) -> RunConfig:
    """Return the saved config with what may change about it: everything that is not paid."""
    from runner.compose.saved_config import apply  # with Hydra's grammar, which few need

    config, problems = load(apply(run.config.model_dump(mode="json"), overrides))
    if config is None:
        raise PreflightError([Finding(None, problem) for problem in problems], total)
    if not _paid_alike(config, run.config):
        raise ConfigError(
            f"{' '.join(overrides)} would change what run {run.index} is paid for",
            hint="resume continues the same work; start a new run, or: python -m runner repeat RUN_DIR key=value",
        )
    return config


def _paid_alike(config: RunConfig, saved: RunConfig) -> bool:
    """Return whether both would pay for the same, with their fallbacks too."""
    if len(config.choices) != len(saved.choices):
        return False
    pairs = zip(config.choices, saved.choices, strict=True)
    # Equal configs are not built: a file that they name may be gone, which the overrides did not cause.
    return all(same_work(one, other) or fingerprint(one) == fingerprint(other) for one, other in pairs)


def _may_be_retried(result: Result) -> bool:
    error = result.error
    return result.status.failed and error is not None and may_pass(error.type, retryable=error.retryable)


def _findings(runs: Sequence[Run]) -> list[Finding]:
    """Return why runs cannot go on as they are; less stands in the way of a job that exists than of a new one."""
    findings = []
    for run in runs:
        if run.open:
            found: Sequence[Problem] = (problems_of if run.pays else endpoint_problems)(run.config)
            findings += [Finding(run.index, problem) for problem in found if problem.severity == "error"]
            findings += [Finding(run.index, problem) for problem in _unasked(run)]
    return findings


def _unasked(run: Run) -> Iterator[Problem]:
    """Yield the server of a pool that is not in it any more: others do not know the job, which would pass for gone."""
    earlier = run.earlier
    if earlier is not None and (run.status.paid or run.status.lost) and lacks(run.config.provider, earlier.endpoint):
        yield Problem(
            "provider.base_urls", f"lacks {earlier.endpoint}, where what was sent for this run is", "add it again"
        )


def _links(runs: Sequence[Run], owners: Mapping[Path, Ledger]) -> Iterator[Finding]:
    """Yield runs that would write to other files than their own: a directory from elsewhere may hold such links."""
    for run in runs:
        if not run.open:
            continue
        place = owners[run.directory].directory
        linked = [run.directory] if leads_elsewhere(place, run.directory) else []
        linked += [run.directory / name for name in linked_files(run.directory)]
        if linked:
            yield Finding(run.index, Problem("", f"{linked[0]} is a link, and would be written through", "remove it"))


def _names_files(request: RequestConfig) -> bool:
    return any(getattr(request, name, None) for name in ("image_list", "mask_image", "markup_image"))


def _changed_inputs(runs: Sequence[Run]) -> Iterator[Finding]:
    """Yield runs whose input file has changed since they were planned, so that they would pay for something else."""
    for run in runs:
        if run.open and run.pays and _names_files(run.config.request):
            with suppress(ConfigError):  # a missing file was reported already
                if fingerprint(run.earlier.config if run.earlier else run.config) != run.fingerprint.partition("#")[0]:
                    message = "an input file is no longer the one that the run was planned with"
                    yield Finding(run.index, Problem("request.image_list", message, "put it back, or start a new run"))


def restore_directory(run: Run) -> None:
    """Make again what a crash or a hand took away of the run's directory."""
    hydra = run.directory / ".hydra"
    if (hydra / "config.yaml").exists() or hydra.is_symlink() or (run.recorded and run.directory.is_symlink()):
        return
    Documents(run.config.model_dump(mode="json"), run.overrides).write(hydra)


def repeat_together(configs: Sequence[RunConfig], overrides: Sequence[str], directory: Path) -> int:
    """Run the configs as a sweep in `directory`, in their order; returns the exit code.

    `overrides` are those that the configs have already. Raises `PreflightError`, `ConfigError` and `BudgetError` before
    anything is written.
    """
    place = shown(directory)
    runs: list[Run] = []
    for config in configs:
        run = new_run(len(runs), config, place / str(len(runs)), overrides)
        # Winners that differed only in what is overridden now would be the same work.
        if not run.fingerprint or run.fingerprint not in {each.fingerprint for each in runs}:
            runs.append(run)
    print_problems(preflight(Plan(runs, [overrides] * len(runs), total=len(runs))))
    if runs[0].config.dry_run:
        print_dry_run(runs, left=payable(runs, place))
        return 0
    said = agree_to_new(runs, place)
    make_directory(place)
    with Tracking(place) as tracking, recording(place) as ledger:
        before = reconcile(ledger)
        print_problems(before.problems)
        runs = entered(ledger, runs, before.runs)
        ledgers = dict.fromkeys((run.directory for run in runs), ledger)
        return execute(runs, ledgers, _make, directory=place, observers=[tracking.observer(runs)], said=said).exit_code


def _make(run: Run) -> None:
    make_directory(run.directory)
    restore_directory(run)
