"""Tell all that Hydra and OmegaConf have against a command line, as problems that its user can correct."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.config.dialect import HOSTS
from runner.config.loading import kinds_of, known_keys
from runner.config.problem import Problem, did_you_mean
from runner.config.shipped import CONF, GROUPS, REFRESHED
from runner.errors import ConfigError, RunnerError
from runner.shell import line, word

from .app import App
from .loader import misplaced, typed_lines
from .preflight import Finding, PreflightError, collected, preflight
from .typed import quoted

_OVERRIDDEN = re.compile(r"(?:Could not override|No earlier Group Default for) '(?P<key>[^']+)'")
_DELETED = re.compile(r"Could not delete (?:from config\. )?'(?P<key>[^']+)'")
_ADDED = re.compile(r"An item is already at '(?P<key>[^']+)'")
_UNCHOSEN = re.compile(r"You must specify '(?P<key>[^']+)'")
_SEVERAL = re.compile(r"Ambiguous value for argument '(?P<line>.*)'\n1\. ", re.DOTALL)
_SWEPT = re.compile(r"Sweep parameters '(?P<line>.*)' requires --multirun", re.DOTALL)
_MERGED = re.compile(r"Error merging override \+{0,2}(?P<key>[^=]+)=")
_MERGING = re.compile(r"In '(?P<file>[^']+)': \w+ raised while composing config:\s*(?P<reason>[^\n]+)")
_UNSET = re.compile(r"Environment variable '(?P<name>\w+)' not found")
_LISTED = re.compile(r"In '(?P<file>[^']+)': Could not ")
_PRIMARY = "--config-dir DIR --config-name NAME takes DIR/NAME.yaml; --config-path leaves out what is shipped"
_IN_EXPERIMENT = "in an experiment's defaults list it is '- override /{}'"
_FORM = "a config file has 'key: value' on each line, and what it sweeps over below hydra: sweeper: params:"


def problem_of(error: BaseException, config_loader: ConfigLoader) -> Problem:
    """Return the problem behind an exception from composing or resolving, with a suggestion if a near miss is known."""
    if isinstance(error, RunnerError):
        return Problem("", error.message, error.hint)
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    if isinstance(error, MissingConfigException):
        return _no_such_option(error, config_loader)
    if isinstance(error, OmegaConfBaseException):
        return _unresolved(error)
    cause = error.__cause__
    if not str(error) and isinstance(cause, OmegaConfBaseException):
        return _unresolved(cause)
    return _refused_override(str(error), cause, config_loader)


def _unreadable(error: OverrideParseException) -> Problem:
    key, found, _ = error.override.partition("=")
    lines = [line for line in error.message.splitlines() if line and not line.startswith("See https://")]
    hint = "quote it for Hydra inside the shell's quotes: \"key='a, (b)'\""
    if "prompt" in key:
        hint += ", or put the text into a file: request.prompt_file=prompt.txt"
    # Neither the value nor Hydra's words about it, which quote it: it may be an address that holds a key.
    reason = lines[0].split("'")[0].strip() if lines else "syntax error"
    return Problem(key if found else "", f"Hydra cannot read what is given here: {reason}", hint)


def _no_such_option(error: MissingConfigException, config_loader: ConfigLoader) -> Problem:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if error.missing_cfg_file is None:
        return Problem("", _first_line(error))
    if error.options is None and (match := _LISTED.match(str(error))):
        return _not_listed(match["file"], group, name)
    if error.options is None:
        where = _typed_as_path(error.missing_cfg_file) or _elsewhere(config_loader, group, name) or _PRIMARY
        return Problem("--config-name", f"there is no primary config {error.missing_cfg_file!r}", where)
    if group.startswith("experiment/"):
        group = group.partition("/")[2]
        return Problem(
            f"experiment: {group}", "is chosen before the experiment is", _IN_EXPERIMENT.format(f"{group}: {name}")
        )
    if group.startswith("model/") and group.split("/")[1] in HOSTS:
        return _not_refreshed(group.split("/")[1], f"{group.partition('/')[2]}/{name}")
    if group.count("/") and not config_loader.list_groups(group) and group.partition("/")[0] in GROUPS[:4]:
        group = group.partition("/")[0]
        said = f"takes the name of an option, and no path: {error.missing_cfg_file}"
        own = f"files of your own: --config-dir DIR takes DIR/{group}/NAME.yaml"
        return Problem(group, said, f"{group}={Path(name).stem}; {own}")
    near = did_you_mean(name, error.options) or _without_punctuation(name, error.options)
    allowed = ", ".join(sorted(error.options)) or "none"
    hint = _elsewhere(config_loader, group, name) or (f"did you mean {group}={near}?" if near else None)
    return Problem(group, f"{name!r} is no option. Allowed: {allowed}", hint)


def _not_listed(file: str, group: str, name: str) -> Problem:
    """Return the problem of a file whose defaults list names another, without a group, that is not beside it."""
    said = f"its defaults list names {name}, and there is no {group}/{name}.yaml".replace(" /", " ")
    hint = f"{name!r} alone is a file beside it; an option of a group is '- override /GROUP: NAME'"
    return Problem(f"{file}.yaml", said, hint)


def _not_refreshed(host: str, name: str) -> Problem:
    """Return the problem of a model that was not read from its host's list."""
    known = [path.relative_to(REFRESHED / "model").with_suffix("").as_posix()
             for path in (REFRESHED / "model" / host).glob("*/*.yaml")]  # fmt: skip
    near = did_you_mean(name, known)
    hint = f"did you mean model={near}?" if near else f"python -m runner models --refresh {host}"
    return Problem("model", f"{name!r} is no model that was read from {host}; nothing was sent", hint)


def _typed_as_path(name: str) -> str | None:
    path = Path(name if name.endswith(".yaml") else f"{name}.yaml")
    typed = line(["--config-dir", str(path.parent), "--config-name", path.stem])
    return f"{path} is read with {typed}" if path.is_file() else None


def _elsewhere(config_loader: ConfigLoader, group: str, name: str) -> str | None:
    """Return where a file of this name lies among the user's own, if Hydra does not look for it there."""
    sources = (Path(source.path) for source in config_loader.get_sources() if source.scheme() == "file")
    found = (misplaced(path, group, name) for path in sources if path != CONF)
    return next(filter(None, found), None)


def _without_punctuation(name: str, options: Iterable[str]) -> str | None:
    flat = {re.sub(r"[\W_]", "", option).lower(): option for option in options}
    return flat.get(re.sub(r"[\W_]", "", name).lower())


def _unresolved(error: OmegaConfBaseException) -> Problem:
    key = str(error.full_key or "")
    if match := _UNSET.search(str(error)):
        return Problem(key, f"cannot be resolved: {_first_line(error)}", f"export {match['name']}=…")
    hint = r"in a prompt it is text as \${…}, in quotes; or put the prompt into a file: request.prompt_file=prompt.txt"
    return Problem(key, f"cannot be resolved: {_first_line(error)}", hint if "prompt" in key else None)


def _refused_override(message: str, cause: BaseException | None, config_loader: ConfigLoader) -> Problem:
    if match := _OVERRIDDEN.search(message):
        return _not_overridden(match["key"], message, cause, config_loader)
    if match := _SEVERAL.match(message) or _SWEPT.match(message):
        return _several(match["line"])
    if match := _MERGING.match(message):
        return Problem(f"{match['file']}.yaml", match["reason"], _FORM)
    if match := _DELETED.search(message):
        reason = "cannot be deleted: it is not in the config, or holds nothing"
        return Problem(match["key"], reason, f"{match['key']}=null")
    if match := _ADDED.search(message):
        reason = "cannot be added: it is already in the config"
        return Problem(match["key"], reason, f"without the plus: {match['key']}=…")
    if match := _UNCHOSEN.search(message):
        options = ", ".join(line.strip() for line in message.splitlines() if line.startswith("\t"))
        return Problem(match["key"], "must be chosen" + (f". Allowed: {options}" if options else ""))
    if match := _MERGED.search(message):
        return Problem(match["key"], _first_line(cause) if cause else message)
    return Problem("", " ".join(message.split()) or type(cause).__name__)


def _not_overridden(key: str, message: str, cause: BaseException | None, config_loader: ConfigLoader) -> Problem:
    if isinstance(cause, OmegaConfBaseException):
        return _unknown_key(key, cause, config_loader)
    if "@experiment." in key:
        return Problem("experiment", "the chosen file of experiment/ lacks its first line", "# @package _global_")
    if key.startswith("experiment/"):
        group = key.partition("@")[0].partition("/")[2]
        return Problem("experiment", f"overrides {group} below itself", _IN_EXPERIMENT.format(f"{group}: NAME"))
    return Problem(key, "is no group in the defaults list", _near_group(key, message, config_loader))


def _several(lines: str) -> Problem:
    """Return the problem of values of which a single run can have one."""
    typed = lines.strip()
    key, _, value = typed.partition("=")
    hint = f"a sweep over them: python -m runner -m {word(typed)}"
    if key.endswith("prompt"):
        hint += "; one text: " + quoted(key, value)
    elif key.endswith("_list"):
        hint += "; one list: " + word(f"{key}=[{value}]")
    return Problem(key, f"{value[:80]} would be several runs", hint)


def _unknown_key(key: str, error: OmegaConfBaseException, config_loader: ConfigLoader) -> Problem:
    """Return the problem of a key inside a value, as in `provider.headers={A: 1}`; the key itself may be fine."""
    wrong = str(error.full_key or key)
    near = _near_key(key, error, config_loader)
    if near is None and any(f".{name}." in f"{wrong}." for name in ("extra_params", "headers", "headers_env")):
        near = f"what is not there yet takes a plus: +{key}=…"
    return Problem(wrong if wrong.startswith(f"{key}.") else key, "is no key here", near)


_MEANT = {
    "n": "number_of_videos", "count": "n", "num_images": "n", "number_of_images": "n", "number_of_videos": "n",
    "seconds": "duration_seconds", "duration": "duration_seconds", "length": "duration_seconds",
    "image": "image_list", "images": "image_list", "input_reference": "image_list", "text": "prompt",
}  # fmt: skip
"""What other programs call the keys of a request."""


_JUDGE = "judge"
"""The group of `score` alone."""

_JUDGED = "a judge is asked once the files are there: python -m runner score DIR metrics=[judge] judge.KEY=VALUE"
"""What is meant by `judge` where a run is configured."""


def _near_key(key: str, error: OmegaConfBaseException, config_loader: ConfigLoader) -> str | None:
    """Return `request.duration_seconds` for `request.duration_secs`; any part of the key may be misspelt."""
    parent = error.parent_node
    siblings = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
    wrong = str(error.full_key or key)
    before, _, name = wrong.rpartition(".")
    if wrong == _JUDGE:
        return _JUDGED
    if not before and isinstance(parent, DictConfig) and (section := _section_of(name, parent)):
        return f"did you mean {section}.{key}?"
    known = siblings if before else [*siblings, *config_loader.list_groups("")]
    meant = _MEANT.get(name)
    if not before and name in known_keys({}, ""):
        return f"begin a primary config of your own with 'defaults: [config, _self_]', or type +{key}=…"
    near = meant if meant in siblings else did_you_mean(name, [name for name in known if name != "hydra"])
    if near is None:
        kinds = kinds_of(before, name)
        return f"{name} goes with {' or '.join(f'{before}={kind}' for kind in kinds)}" if kinds else None
    rest = key[len(wrong) :] if key.startswith(wrong) else ""
    return f"did you mean {before + '.' if before else ''}{near}{rest}?"


def _section_of(name: str, config: DictConfig) -> str | None:
    """Return the one section that has a key of this name, or of what it may be called elsewhere."""
    sections = ("request", "model", "provider", "budget")
    found = [section for section in sections if {name, _MEANT.get(name)} & {*map(str, config.get(section) or ())}]
    return found[0] if len(found) == 1 and name in config[found[0]] else None


def _near_group(key: str, message: str, config_loader: ConfigLoader) -> str | None:
    group = key.partition("@")[0]
    if group == _JUDGE:
        return _JUDGED
    if config_loader.get_group_options(group, ObjectType.CONFIG) and "To append" in message:
        return message.rpartition("use ")[2].strip()
    near = did_you_mean(group, config_loader.list_groups(""))
    return f"did you mean {near}?" if near else None


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


_APPLYING = ("Could not override '", "Could not delete from config", "Could not append to config", "Error merging over")
"""How Hydra begins what it says of an override of a value, which it meets when all files are merged."""


class Diagnosis:
    """Look further than the first error: at the other overrides, and at what the readable ones amount to."""

    def __init__(self, app: App, overrides: Sequence[str] | None, error: Exception, *, sweep: bool) -> None:
        self._app = app
        self._name = "config" if overrides is None else app.name
        self._overrides = list(overrides or ())
        self._error = error
        self._sweep = sweep or self._has_choices()

    def refusal(self) -> ConfigError:
        """Return the first problem as an error of its own, or all of them as a `PreflightError`; nothing is run."""
        first = problem_of(self._error, self._app.loader)
        config, problems = collected(self._overrides, self._compose, self._known)
        later, total = ([], 1) if config is None else self._amounts_to(config)
        findings = [Finding(None, problem) for problem in dict.fromkeys([first, *problems])]
        if len(findings) + len(later) > 1:
            return PreflightError([*findings, *later], total)
        return ConfigError(first.text, hint=first.hint)

    def _has_choices(self) -> bool:
        try:
            return any(override.is_sweep_override() for override in self._parsed(self._overrides))
        except HydraException:
            return True

    def _parsed(self, lines: list[str]) -> list[Any]:  # Any: Hydra's Override
        return OverridesParser.create(config_loader=self._app.loader).parse_overrides(lines)

    def _compose(self, left: list[str]) -> tuple[DictConfig, list[Problem]]:
        if not self._sweep and left == self._overrides and str(self._error).startswith(_APPLYING):
            raise self._error  # the result would be the same
        mode = RunMode.MULTIRUN if self._sweep else RunMode.RUN
        return self._app.compose(left, mode, name=self._name, choices=True), []

    def _known(self, raised: Exception) -> Problem:
        if not isinstance(raised, HydraException | OmegaConfBaseException):
            raise raised
        return problem_of(raised, self._app.loader)

    def _amounts_to(self, config: DictConfig) -> tuple[list[Finding], int]:
        """Return what is wrong with the run or runs of the overrides that can be read, and how many they are."""
        if self._sweep or config.hydra.mode == RunMode.MULTIRUN:
            return self._of_sweep(config)
        from .examination import examined

        try:
            _, _, problems = examined(config)
        except (RunnerError, OmegaConfBaseException):
            return self._of_sweep(config)  # which continues without the override that cannot be resolved
        return [Finding(0, problem) for problem in problems if problem.severity == "error"], 1

    def _of_sweep(self, master: DictConfig) -> tuple[list[Finding], int]:
        from .plan import Planner
        from .points import combinations

        parsed = self._parsed(typed_lines(master.hydra.overrides.task))
        try:
            points = combinations(parsed)
        except HydraException:
            return [], 1  # an optimiser chooses the points
        plan = Planner(self._app.loader, master).plan(points)
        try:
            preflight(plan)
        except PreflightError as refused:
            return list(refused.findings), plan.total
        return [], plan.total
