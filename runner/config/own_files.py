"""Config files of a user's own that Hydra does not read, or reads in the place of what every run relies on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.errors import ConfigError
from runner.shell import line

from .shipped import directory as shipped

GROUPS = ("provider", "model", "request", "experiment", "tracking", "hydra")
_UNSHADOWED = ("config.yaml", "hydra/default.yaml")


def refuse_own_files(own: Path, options: Iterable[tuple[str, str]]) -> None:
    """Raise `ConfigError` for files below `own` that would be passed over, or would switch off checks.

    `options` are the groups and names that the command line chooses.
    """
    if own.resolve() == shipped().resolve():
        return
    for name in _UNSHADOWED:
        if (own / name).is_file():
            raise ConfigError(
                f"{shown(own / name)} has the name of a shipped file that runs and sweeps rely on; nothing was sent",
                hint="give a primary config a name of its own that begins with 'defaults: [config, _self_]', and type "
                "--config-name NAME",
            )
    for group in GROUPS:
        if unread := sorted((own / group).glob("*.yml")):
            raise ConfigError(
                f"{shown(unread[0])} would not be read: config files end in .yaml; nothing was sent",
                hint=line(["mv", shown(unread[0]), shown(unread[0].with_suffix(".yaml"))]),
            )
    for group, name in options:
        _refuse_passed_over(own, group, name)


def misplaced(own: Path, group: str, name: str) -> str | None:
    """Return what to type where a file below `own` may be this option and lies where Hydra does not look for it."""
    for path in _named(own, group, name):
        place = own / group / f"{name}.yaml"
        if path.parent == place.parent:
            return f"config files end in .yaml: {line(['mv', shown(path), shown(place)])}"
        if path.parent.name == group and path.suffix == ".yaml":
            return f"{shown(path)} is read with {line(['--config-dir', shown(path.parent.parent)])}"
        return f"{shown(path)} lies in another place: {line(['mv', shown(path), shown(place)])}"
    return None


def shown(path: Path) -> str:
    """Return a path as one types it where one stands."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _refuse_passed_over(own: Path, group: str, name: str) -> None:
    """Raise `ConfigError` where a shipped option would be taken although a file of the user's looks like it."""
    if (own / group / f"{name}.yaml").is_file() or not (shipped() / group / f"{name}.yaml").is_file():
        return
    for path in (own / f"{name}.yaml", own / f"{group}s" / f"{name}.yaml"):
        if path.is_file() and _looks_like(path, group):
            raise ConfigError(
                f"{group}={name} would be the shipped one, and {shown(path)} would not be read; nothing was sent",
                hint=misplaced(own, group, name),
            )


def _looks_like(path: Path, group: str) -> bool:
    """Return whether a file holds keys of this group, and of nothing else."""
    import yaml

    from runner.text_file import read_text

    from .loading import section_keys

    try:
        content = yaml.safe_load(read_text(path))
    except (OSError, ConfigError, yaml.YAMLError):
        return False
    keys = {str(key) for key in content} - {"defaults"} if isinstance(content, dict) else set()
    return bool(keys) and keys <= section_keys(group)


def _named(own: Path, group: str, name: str) -> Iterator[Path]:
    """Files of this name that are not far from where they belong, the nearest first."""
    others = {*GROUPS} - {group}
    for pattern in ("{}.yaml", "{}.yml", "*/{}.yaml", "*/{}.yml", "*/*/{}.yaml", "*/*/{}.yml"):
        yield from sorted(path for path in own.glob(pattern.format(name)) if path.parent.name not in others)
