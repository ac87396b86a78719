"""Load a plain mapping, as Hydra composed and resolved it, into a frozen `RunConfig`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from runner.errors import ConfigError
from runner.text_file import read_text

from .model import ImageModel, VideoModel
from .problem import Problem, did_you_mean, from_validation_error
from .provider import AzureOpenAIConfig, CompatibleConfig, EmulatorConfig, OpenAIConfig
from .request import ImageRequest, VideoRequest, fill, lacks_prompt
from .run import SWEEP_KEYS, MlflowTracking, NoTracking, RunConfig, WandbTracking, WholeConfig
from .shipped import Group, names, option

Option = Callable[[Group, str], Mapping[str, Any] | None]  # Any: not yet validated
"""An option's keys by its group and name, None if there is none."""

Known = dict[tuple[str, str], object]
"""Validated sections by their names and by what was given for them: runs of one sweep share those that are equal."""

Model = TypeVar("Model", bound=BaseModel)

_SHARED = ("provider", "model", "fallbacks", "budget", "tracking", "storage")

_NAMED_BY: dict[Group, str] = {"provider": "kind", "model": "name"}
"""The key by which a mapping says whose keys it changes."""


def expanded(container: Mapping[str, Any], option: Option) -> Mapping[str, Any]:  # Any: not yet validated
    """Return the config with each name among its fallbacks replaced by that option's keys; unknown names stay.

    A fallback without a provider keeps the run's, one without a model keeps the run's.
    """
    listed = container.get("fallbacks")
    if not listed or not isinstance(listed, list | tuple):
        return container
    return {**container, "fallbacks": [_entry(entry, container, option) for entry in listed]}


def unknown_options(container: Mapping[str, Any]) -> Iterator[Problem]:  # Any: not yet validated
    """Yield the names that stand for no option."""
    for number, entry in enumerate(container.get("fallbacks") or ()):
        for group in _NAMED_BY:
            name = entry.get(group) if isinstance(entry, Mapping) else None
            if isinstance(name, str):
                near = did_you_mean(name, names(group))
                yield Problem(f"fallbacks.{number}.{group}", f"{name!r} is no option of conf/{group}/",
                              f"did you mean {near}?" if near else f"one of {', '.join(names(group))}")  # fmt: skip


def _entry(entry: object, container: Mapping[str, Any], option: Option) -> object:  # Any: not yet validated
    if not isinstance(entry, Mapping):
        return entry
    return {**entry, **{group: _section(entry.get(group), group, container, option) for group in _NAMED_BY}}


def _section(given: object, group: Group, container: Mapping[str, Any], option: Option) -> object:  # Any: as above
    if given is None:
        return container.get(group)
    if isinstance(given, str):
        found = option(group, given)
        return given if found is None else found
    if isinstance(given, Mapping):
        return {**(option(group, str(given.get(_NAMED_BY[group]))) or {}), **given}
    return given


_VARIANTS: dict[str, dict[str, type[BaseModel]]] = {
    "provider": {
        "openai": OpenAIConfig,
        "azure_openai": AzureOpenAIConfig,
        "compatible": CompatibleConfig,
        "emulator": EmulatorConfig,
    },
    "model": {"video": VideoModel, "image": ImageModel},
    "request": {"video": VideoRequest, "image": ImageRequest},
    "tracking": {"none": NoTracking, "mlflow": MlflowTracking, "wandb": WandbTracking},
}

_FILE = "a text file, relative to where you stand; or type the prompt: \"request.prompt='A red fox'\""
_EXPERIMENT = "a file of experiment/, whose first line is '# @package _global_'"
_adapter = TypeAdapter(RunConfig)
_OF_A_COMMAND = {
    **{key: f"python -m runner {key}=…" for key in SWEEP_KEYS},
    "hydra": "python -m runner hydra.run.dir=DIR; a repeated run gets a directory of its own in outputs/",
}
"""Keys that a composed config has beside those of its runs: only a saved one can come here with them."""
_REFERENCE = re.compile(r"\$\{\s*(\w+)")


def load(
    container: Mapping[str, Any],  # Any: not yet validated
    option: Option = option,
    known: Known | None = None,
    *,
    templates: bool = False,
) -> tuple[RunConfig | None, list[Problem]]:
    """Return the validated run with its prompt file read in, or None and everything that is wrong with it.

    `option` looks up the names among its fallbacks. What is `known` is not validated again, and added to. With
    `templates`, prompts are filled by `vars`; those of a saved config are filled already.
    """
    prompt_problems, prompt = _read_prompt(container.get("request"))
    file = container["request"]["prompt_file"] if prompt is not None else None
    if prompt is not None:
        container = {**container, "request": {**container["request"], "prompt": prompt, "prompt_file": None}}
    if templates:
        container, unfilled = _filled(container)
        prompt_problems += unfilled
    container = expanded(container, option)
    unknown = [*unknown_options(container)]
    if unknown:
        return None, [*dict.fromkeys([*prompt_problems, *unknown])]
    known = {} if known is None else known
    # Not by equality, to which 1 and true are the same.
    sections = {name: (name, repr(container[name])) for name in _SHARED if name in container}
    try:
        config = _adapter.validate_python(
            {**container, **{name: known[given] for name, given in sections.items() if given in known}}
        )
    except ValidationError as error:
        found = [_suggest(problem, container) for problem in from_validation_error(error)]
        return None, [*dict.fromkeys([*prompt_problems, *found])]
    shared = {name: known.setdefault(given, getattr(config, name)) for name, given in sections.items()}
    # A tuple is made anew by each validation, also of what it holds already.
    same = {"fallbacks": shared["fallbacks"]} if config.fallbacks else {}
    config = _with_one_set(config, known, {**same, "request": _with_one_set(config.request, known)})
    if not prompt_problems and lacks_prompt(config.request, wanted=file is not None):
        empty = Problem("request.prompt", "is empty", "\"request.prompt='A paper boat at sea'\"")
        if file is not None:
            hint = "write the prompt into it; nothing was sent"
            empty = Problem("request.prompt_file", f"{file} holds no text", hint)
        return None, [empty]
    return (None if prompt_problems else config), prompt_problems


def _with_one_set(model: Model, known: Known, changes: Mapping[str, object] = MappingProxyType({})) -> Model:
    """Return the same model with one set of given fields for all that were given the same, as it is half their size."""
    given = model.model_fields_set
    one = known.setdefault((type(model).__name__, " ".join(sorted(given))), given)
    return model.model_construct(cast("set[str]", one), **{**dict(model), **changes})


def without_own_keys(resolved: Mapping[str, Any], *written: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config without what is the sweep's, and the user's own top-level keys and groups that `written` uses.

    `written` is what the config was made of, unresolved; interpolations in it use a key. One that nothing uses stays,
    and is refused by `load`: it may be a misspelt one.
    """
    resolved = {key: value for key, value in resolved.items() if key not in SWEEP_KEYS}
    own = {key for key in resolved if key not in RunConfig.model_fields and key != "experiment"}
    own &= {name for texts in written for name in _REFERENCE.findall(str(texts))} if own else set()
    return {key: value for key, value in resolved.items() if key not in own} if own else resolved


def variants(section: str) -> list[type[BaseModel]]:
    """Return the models of a section's kinds."""
    return list(_VARIANTS.get(section, {}).values())


def section_keys(section: str) -> set[str]:
    """Return the keys that a section of the config may have, whatever its kind."""
    return {key for variant in _VARIANTS.get(section, {}).values() for key in variant.model_fields}


def kinds_of(section: str, key: str) -> list[str]:
    """Return the kinds of a section that have this key."""
    return [kind for kind, variant in _VARIANTS.get(section, {}).items() if key in variant.model_fields]


def known_keys(container: Mapping[str, Any], parent: str) -> list[str]:  # Any: not yet validated
    """Return the keys that may stand below `parent` ('' for the top) in this config."""
    if not parent:
        return list(WholeConfig.model_fields)
    section: object = container
    for part in parent.split("."):
        section = _child(section, part)
    variants = _VARIANTS.get(parent.rpartition(".")[2], {})
    chosen = variants.get(str(section.get("kind"))) if isinstance(section, Mapping) else None
    return list(chosen.model_fields) if chosen else []


def _child(node: object, part: str) -> object:
    if isinstance(node, Mapping):
        return node.get(part)
    return node[int(part)] if isinstance(node, list) and part.isdigit() else None


def _suggest(problem: Problem, container: Mapping[str, Any]) -> Problem:  # Any: not yet validated
    if problem.message != "is no key here":
        return problem
    parent, _, name = problem.key.rpartition(".")
    if not parent and (typed := _OF_A_COMMAND.get(name.partition("/")[0])) is not None:
        return Problem(problem.key, "is no key of a saved run", f"it belongs to a new one: {typed}")
    elsewhere = not parent and (name in ("params", "sweeper") or any(name in section_keys(each) for each in _VARIANTS))
    near = None if elsewhere else did_you_mean(name, known_keys(container, parent))
    if near is not None:
        return Problem(problem.key, problem.message, f"did you mean {parent + '.' if parent else ''}{near}?")
    return Problem(problem.key, problem.message, _at_the_right_level(parent, name))


def _at_the_right_level(parent: str, name: str) -> str | None:
    """Return what to do with a key that is one elsewhere."""
    if parent in _VARIANTS and name in WholeConfig.model_fields:
        file = f"a file of {parent}/ holds the keys of {parent} alone"
        return (
            f"{file}, without '{parent}:' above them" if name == parent else f"{file}; {name} goes into {_EXPERIMENT}"
        )
    if parent:
        return None
    if name == "experiment":
        return f"keys that lie below it come from {_EXPERIMENT}"
    if name in ("params", "sweeper"):
        return "what a config sweeps over stands below hydra: sweeper: params:"
    sections = [section for section in _VARIANTS if name in section_keys(section) and name != "kind"]
    if len(sections) == 1:
        return f"did you mean {sections[0]}.{name}?"
    return f"a key of your own must be used by an interpolation: ${{{name}}}"


def _filled(container: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Problem]]:  # Any: not yet validated
    """Return the config with its prompts filled by `vars` and the row's id, where there are such."""
    names, row, request = container.get("vars"), container.get("run"), container.get("request")
    names = dict(names) if isinstance(names, Mapping) else {}
    if isinstance(row, Mapping) and row.get("id") is not None:
        names["id"] = row["id"]
    if not names or not isinstance(request, Mapping):
        return container, []
    problems, filled = [], dict(request)
    for key in ("prompt", "negative_prompt"):
        text = request.get(key)
        try:
            filled[key] = fill(text, names) if isinstance(text, str) else text
        except ConfigError as error:
            problems.append(Problem(f"request.{key}", error.message, error.hint))
    return {**container, "request": filled}, problems


def _read_prompt(request: object) -> tuple[list[Problem], str | None]:
    if not isinstance(request, Mapping) or not isinstance(request.get("prompt_file"), str):
        return [], None
    path = Path(request["prompt_file"]).expanduser()
    try:
        return [], read_text(path).strip()
    except ConfigError as error:
        return [Problem("request.prompt_file", error.message, error.hint)], None
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        where = f"{path} (from {Path.cwd()})" if not path.is_absolute() else str(path)
        return [Problem("request.prompt_file", f"cannot read {where}: {reason}", _FILE)], None
