"""Know the metrics by name, and find one's class; nothing that computes is imported before it is needed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path
from typing import Any

from runner.config.problem import Problem, did_you_mean

from .metric import Metric


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Describe where a metric is, and what it takes.

    Attributes:
        place: module of this package and class.
        extra: the extra of this package that installs it.
        packages: what must be there, as it is imported.
    """

    place: str
    extra: str = "metrics"
    packages: tuple[str, ...] = ("numpy",)


BUILT_IN = {
    "brightness": BuiltIn("pictures:Brightness"),
    "contrast": BuiltIn("pictures:Contrast"),
    "colourfulness": BuiltIn("pictures:Colourfulness"),
    "sharpness": BuiltIn("pictures:Sharpness"),
    "motion": BuiltIn("videos:Motion"),
    "flicker": BuiltIn("videos:Flicker"),
    "black_frames": BuiltIn("videos:BlackFrames"),
    "frozen_frames": BuiltIn("videos:FrozenFrames"),
    "duplicated_frames": BuiltIn("videos:DuplicatedFrames"),
    "loudness": BuiltIn("videos:Loudness"),
    "silence": BuiltIn("videos:Silence"),
    "clipping": BuiltIn("videos:Clipping"),
    "size_error": BuiltIn("videos:SizeError"),
    "duration_error": BuiltIn("videos:DurationError"),
    "fps_error": BuiltIn("videos:FpsError"),
    "first_frame_likeness": BuiltIn("likeness:FirstFrameLikeness"),
    "near_duplicates": BuiltIn("likeness:NearDuplicates", packages=("numpy", "imagehash")),
    "lettering": BuiltIn("pictures:Lettering", "metrics-ocr", ("numpy", "rapidocr", "onnxruntime")),
    "brisque": BuiltIn("pictures:Brisque", "metrics-quality", ("numpy", "brisque", "cv2")),
}

_ASKED = re.compile(r"judge(_\w+)?")
"""How metrics are called that a vision model is asked for: `runner.model_judge`."""

_OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""One's own: where it is imported from, as in `package.module:function`."""


def is_own(name: str) -> bool:
    """Return whether the name is an import path."""
    return _OWN.fullmatch(name) is not None


def problems_of(names: Iterable[str], key: str = "metrics") -> list[Problem]:
    """Return what is wrong with names of metrics, and what must be installed first; `key` is where they were given."""
    found = []
    for name in dict.fromkeys(names):
        built_in = BUILT_IN.get(name)
        if built_in is not None:
            found += _missing(name, built_in, key)
        elif _ASKED.fullmatch(name):
            message = f"{name!r} is asked of a model that costs money, once the files are there"
            hint = "leave it out here; afterwards: python -m runner score DIR metrics=[judge]"
            found.append(Problem(key, message, hint))
        elif not is_own(name):
            near = did_you_mean(name, BUILT_IN)
            hint = f"did you mean {near}?\n" if near else ""
            hint += f"metrics: {', '.join(BUILT_IN)}; or one of your own, as module:function"
            found.append(Problem(key, f"there is no metric {name[:80]!r}", hint))
    return found


def unusable(names: Iterable[str]) -> list[Problem]:
    """Return why metrics of one's own cannot be imported, as a child finds out that knows no key."""
    from .measurer import Measurer, MeasuringError

    own = [name for name in dict.fromkeys(names) if is_own(name)]
    if not own:
        return []
    try:
        with Measurer(own) as measurer:
            _, errors = measurer.facts()
    except MeasuringError as error:
        errors = dict.fromkeys(own, str(error))
    hint = "it is looked for where Python finds modules, and in the directory where you stand"
    return [Problem("metrics", f"{name} cannot be used: {said}", hint) for name, said in errors.items()]


def _missing(name: str, built_in: BuiltIn, key: str) -> list[Problem]:
    lacking = [package for package in built_in.packages if find_spec(package) is None]
    if not lacking:
        return []
    message = f"{name} needs what is not installed here: {', '.join(lacking)}"
    return [Problem(key, message, f"pip install 'mediarunner[{built_in.extra}]'")]


def find(name: str) -> type[Metric]:
    """Return the class of a metric; raises `ImportError` or `AttributeError` where one's own is not there."""
    built_in = BUILT_IN.get(name)
    module, _, attribute = (f"runner.metrics.{built_in.place}" if built_in else name).partition(":")
    if built_in is None:
        # In the child that measures: a text that is changed within a second must not be taken from its bytecode.
        sys.dont_write_bytecode = True
    if built_in is None and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last: what lies where the user stands takes no other's name
    found = getattr(import_module(module), attribute)
    return found if isinstance(found, type) and issubclass(found, Metric) else of_function(found)


def of_function(function: Callable[[Path], Any]) -> type[Metric]:  # Any: made a number of, or refused
    """Return the metric that a function from a file's path to a number is."""

    class OfFunction(Metric):
        version = getattr(function, "version", None) or _version(function)
        better = getattr(function, "better", None)

        def value(self) -> float | None:
            found = function(self.subject.path)
            return None if found is None else float(found)

    return OfFunction


def _version(function: Callable[[Path], Any]) -> str:  # Any: as above
    """Return what changes when the function's text does."""
    try:
        return sha256(getsource(function).encode()).hexdigest()[:12]
    except (OSError, TypeError):
        return "1"
