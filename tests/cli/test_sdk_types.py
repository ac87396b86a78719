from __future__ import annotations

import json
import subprocess
import sys

import pytest

from runner.cli import sdk_types

NAMES = """
import importlib, json, pkgutil, sys
if sys.argv[1] == "when asked":
    from runner.cli.sdk_types import import_types_when_asked
    import_types_when_asked()
    import_types_when_asked()
import openai.types
before = sum(name.startswith("openai.types.") for name in sys.modules)
found = {}
for package in ["openai.types", *(each.name for each in pkgutil.walk_packages(openai.types.__path__, "openai.types.")
                                  if each.ispkg)]:
    held = {}
    exec(f"from {package} import *", held)
    found[package] = sorted(f"{name}: {value!r}" for name, value in held.items()
                            if name[:2] != "__" and name != "annotations" and not hasattr(value, "__spec__"))
print(json.dumps([before, found]))
"""


def names(when: str) -> tuple[int, dict[str, list[str]]]:
    """How many modules of types `import openai` took, and what every package of them gives."""
    done = subprocess.run([sys.executable, "-c", NAMES, when], capture_output=True, text=True, check=True)
    number, found = json.loads(done.stdout)
    return number, found


def test_every_name_is_what_the_sdk_gives_and_few_are_made_before_they_are_asked_for():
    few, found = names("when asked")
    many, expected = names("at once")

    assert found == expected
    assert few < many / 5


def test_a_name_that_is_not_there_is_missed_as_in_any_module():
    code = (
        "from runner.cli.sdk_types import import_types_when_asked; import_types_when_asked()\n"
        "import openai.types\n"
        "assert 'Video' in dir(openai.types) and not hasattr(openai.types, 'Vidoe')\n"
        "from openai.types import Video, video_create_params\n"
        "print(Video.__name__, video_create_params.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Video", "openai.types.video_create_params"]


def test_a_list_of_imports_is_read_without_importing_anything():
    code = compile("from __future__ import annotations\nfrom .no_such import A, B as C", "types", "exec")
    assert sdk_types._homes(code) == {"A": ("no_such", "A"), "C": ("no_such", "B")}


@pytest.mark.parametrize(
    "source",
    [
        "from .a import B\nanswer = 42",
        "from .a import B\nB.model_rebuild()",
        "from .a import *",
        "from . import a",
        "import json",
        "from json import loads",
        "from ..a import B",
        "from .a import a",
    ],
)
def test_a_package_that_does_more_is_left_to_python(source):
    assert sdk_types._homes(compile(source, "types", "exec")) is None


def test_a_process_that_has_the_sdk_keeps_it_as_it_is():
    code = (
        "import openai, sys; finders = [*sys.meta_path]\n"
        "from runner.cli.sdk_types import import_types_when_asked; import_types_when_asked()\n"
        "print(sys.meta_path == finders)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
