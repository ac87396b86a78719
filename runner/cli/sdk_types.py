"""The SDK's packages of types, of which only what is asked for is imported: of nearly 700 models a run needs some ten.

`import openai` takes 0.6 s, most of it to make classes for APIs that are not used here. Each package of types holds
nothing but `from .module import Name`; here that is read from its bytecode and followed when a name is asked for. A
package that holds anything else is executed as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import NamedTuple

_PACKAGE = "openai.types"


def import_types_when_asked() -> None:
    """For processes that are ours from the start: others may have reasons to want everything imported."""
    if _PACKAGE not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the packages of types, and nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As the import system has it."""
        if name != _PACKAGE and not name.startswith(f"{_PACKAGE}."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.submodule_search_locations is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Executes a package without what it imports."""

    def exec_module(self, module: ModuleType) -> None:
        """As the import system has it."""
        code = self.get_code(module.__name__)
        homes = None if code is None else _homes(code)
        if homes is None:
            super().exec_module(module)
            return
        _follow(module, homes)


class _Origin(NamedTuple):
    """Where a name of a package comes from."""

    module: str
    name: str


class _Names:
    """What stands for a module while its importer is read."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __getattr__(self, name: str) -> _Origin:
        return _Origin(self.module, name)


def _homes(code: CodeType) -> dict[str, _Origin] | None:
    """The names that a package imports from its own modules; None if it does anything else."""

    def read(
        name: str, _globals: object = None, _locals: object = None, wanted: Sequence[str] = (), level: int = 0
    ) -> object:
        if name == "__future__" and level == 0:
            return import_module(name)
        if level != 1 or not name or not wanted or "*" in wanted:
            raise ImportError(name)
        return _Names(name)

    found: dict[str, object] = {"__builtins__": {"__import__": read}, "__name__": "", "__annotations__": {}}
    own = {*found, "__doc__", "annotations"}
    try:
        exec(code, found)  # noqa: S102 - the package's own code, as the import system would execute it
    except Exception:  # noqa: BLE001 - it is more than a list of imports
        return None
    homes = {name: value for name, value in found.items() if isinstance(value, _Origin)}
    # A module called like a name would take its place once it is imported.
    plain = {*found} - {*homes} <= own and homes.keys().isdisjoint(home.module for home in homes.values())
    return homes if plain else None


def _follow(module: ModuleType, homes: Mapping[str, _Origin]) -> None:
    def attribute(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        home = homes[name]
        value = getattr(import_module(f"{module.__name__}.{home.module}"), home.name)
        setattr(module, name, value)
        return value

    module.__dict__.update(__getattr__=attribute, __dir__=lambda: [*module.__dict__, *homes], __all__=[*homes])
