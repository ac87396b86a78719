from __future__ import annotations

import inspect
import pickle

import pytest

from runner import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.RunnerError)]


def make(kind):
    extra = {"attempts": 3, "seconds": 1.5} if kind is errors.JobTimeoutError else {}
    return kind("it broke", hint="mend it", code="broken", job_id="video_1", **extra)


def test_every_error_is_public_and_drawn_in_the_tree():
    assert sorted(kind.__name__ for kind in KINDS) == sorted(errors.__all__)
    for kind in KINDS:
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_the_way_home_from_another_process(kind):
    error = pickle.loads(pickle.dumps(make(kind)))
    assert type(error) is kind
    assert str(error) == "it broke"
    assert error.__dict__ == make(kind).__dict__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_tree_says_each_exit_code_that_is_not_one(kind):
    parents = {getattr(parent, "exit_code", 1) for parent in kind.__bases__}
    if kind.exit_code not in {1, *parents}:
        line = next(line for line in (errors.__doc__ or "").splitlines() if kind.__name__ in line)
        assert f"exit {kind.exit_code}" in line
