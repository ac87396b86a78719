"""The rooms of the house in their order: none imports from a room above it, so that there is no circle."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "runner"
TOP = {"conf", "docs", "hydra_plugins", "outputs", "runner", "tests", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md",
       "LICENSE", "Makefile", "README.md", "SECURITY.md", "pyproject.toml"}  # fmt: skip
ORDER = (
    *("errors", "text_file", "shell", "child", "loopback", "emulator", "config", "artifacts", "providers", "engine"),
    *(
        "ledger",
        "storage",
        "distributed",
        "judging",
        "metrics",
        "results",
        "display",
        "compose",
        "report",
        "view",
        "tracking",
        "doctor",
        "model_judge",
        "sweeps",
        "api",
        "cli",
        "commands",
    ),
    "app",
)
"""From the lowest room to the highest; single files are rooms of their own."""

KNOWN = {("ledger/lock.py", "display")}
"""A disk without locks is said on the terminal, by what prints all warnings."""


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports from the package, also within functions."""
    package = ("runner", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """Return the room of a dotted name; None if it is of another package, or the package itself."""
    first, *rest = name.split(".")
    return rest[0] if first == "runner" and rest and rest[0] in ORDER else None


def climbs() -> Iterator[tuple[str, str]]:
    """Yield files with the room above theirs that they import from."""
    for path in sorted(PACKAGE.rglob("*.py")):
        home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if home in ("__init__", "__main__"):
            continue
        for name in imported(path):
            room = room_of(name)
            if room is not None and ORDER.index(room) > ORDER.index(home):
                yield path.relative_to(PACKAGE).as_posix(), room


def test_every_room_has_its_place():
    homes = {
        path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert homes - {"__init__", "__main__", "__pycache__", "conf"} == set(ORDER)


def test_no_room_imports_from_one_above_it():
    assert set(climbs()) == KNOWN


def test_names_are_told_by_their_rooms():
    names = ("runner.app.run", "runner.cli.single", "openai.OpenAI", "runner.RunConfig")
    assert [room_of(name) for name in names] == ["app", "cli", None, None]


def test_the_top_level_holds_nothing_else():
    listed = subprocess.run(["git", "ls-files"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"this is no clone of the repository: {listed.stderr.strip()}")
    kept = listed.stdout.splitlines()
    found = {name.partition("/")[0] for name in kept if not name.startswith(".")}
    assert found <= TOP, "runs that were made for a trial"
    assert [name for name in kept if name.startswith("outputs/")] in ([], ["outputs/.gitkeep"])
