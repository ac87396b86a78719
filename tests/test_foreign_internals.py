"""Private parts of other packages: few places, each named in CONTRIBUTING, and no patch of anybody's."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "runner").rglob("*.py"), *(ROOT / "hydra_plugins").rglob("*.py")])
OURS = {"runner", "hydra_plugins"}
ROOMS = ("runner/compose/", "runner/sweeps/sweeper.py", "runner/sweeps/launcher.py", "runner/sweeps/launcher.py")
MOST = 8
HEADING = "## Private parts of other packages"


class Visitor(ast.NodeVisitor):
    """Finds what a file uses of others' private parts, and what it changes of theirs."""

    def __init__(self, tree: ast.AST) -> None:
        self.places: list[tuple[int, str]] = []
        self.patches: list[tuple[int, str]] = []
        self._imported: dict[str, str] = {}
        self._known = {"self", "cls"}
        fields = (each.target for each in ast.walk(tree) if isinstance(each, ast.AnnAssign))
        self._declared = {field.id for field in fields if isinstance(field, ast.Name)}
        self.visit(tree)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._take(node, alias.name, alias.asname or alias.name.partition(".")[0], alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names if not node.level else []:
            self._take(node, f"{node.module}.{alias.name}", alias.asname or alias.name, f"{node.module}")

    def _take(self, node: ast.stmt, name: str, local: str, module: str) -> None:
        if name.partition(".")[0] in OURS | sys.stdlib_module_names:
            self._known.add(local)
            return
        self._imported[local] = name
        if private(name) and (node.lineno, module) not in self.places:
            self.places.append((node.lineno, module))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = node.value
        own = isinstance(owner, ast.Name) and owner.id in self._known
        if is_private(node.attr) and not own and node.attr not in self._declared:
            self.places.append((node.lineno, node.attr))
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            name = self._name(base)
            if name is None:
                continue
            if private(name):
                self.places.append((node.lineno, f"{node.name}({name})"))
            self.places += list(inherited(node, name))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("getattr", "setattr", "delattr", "hasattr", "__setattr__") and names and names[0][:1] == "_":
            self.places.append((node.lineno, names[0]))
        if called in ("setattr", "delattr") and self._name(node.args[0]) is not None:
            self.patches.append((node.lineno, ast.unparse(node)))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._changed(node.targets)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._changed([node.target])
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._changed(node.targets)

    def _changed(self, targets: list[ast.expr]) -> None:
        for target in targets:
            if isinstance(target, ast.Attribute) and self._name(target.value) is not None:
                self.patches.append((target.lineno, ast.unparse(target)))

    def _name(self, node: ast.expr) -> str | None:
        """The dotted name of what another package gives, None for all else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._imported:
            return None
        return ".".join([self._imported[node.id], *parts])


def inherited(node: ast.ClassDef, base: str) -> Iterator[tuple[int, str]]:
    """What a class uses, or takes the place of, of the private parts of its base."""
    module, _, name = base.rpartition(".")
    known = {each for each in dir(getattr(importlib.import_module(module), name, None)) if is_private(each)}
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name in known:
            yield each.lineno, f"{node.name}.{each.name}"
        if isinstance(each, ast.Attribute) and each.attr in known:
            yield each.lineno, f"{node.name}.{each.attr}"


def private(name: str) -> bool:
    return any(map(is_private, name.split(".")))


def is_private(name: str) -> bool:
    # Named tuples call what is public of theirs by an underscore.
    return name[:1] == "_" and not name.startswith("__") and name not in ("_replace", "_asdict", "_fields", "_make")


def found() -> tuple[list[str], list[str]]:
    places, patches = [], []
    for path in SOURCES:
        visitor = Visitor(ast.parse(path.read_text(encoding="utf-8")))
        name = path.relative_to(ROOT).as_posix()
        places += [f"{name}: {what}" for _, what in sorted(set(visitor.places))]
        patches += [f"{name}: {what}" for _, what in sorted(set(visitor.patches))]
    return places, patches


def test_few_places_use_private_parts_of_other_packages_and_each_is_explained():
    places, _ = found()
    assert len(places) <= MOST
    assert [place for place in places if not place.startswith(ROOMS)] == []
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    listed = re.findall(r"^- `([^`]+)` `([^`]+)`", text, re.MULTILINE)
    assert sorted(f"{file}: {what}" for file, what in listed) == sorted(places)


def test_nothing_of_other_packages_is_changed():
    assert found()[1] == []


CODE = """
import gc, os, sys
def state():
    return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), list(sys.meta_path), dict(os.environ)
before = state()
import runner
runner.VideoGenerationConfig(provider="openai", model="sora-2", api_key="k")
runner.generate_video
assert state() == before, state()
"""


def test_the_python_api_changes_nothing_of_the_process():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
