from __future__ import annotations

import pytest
from hydra.core.utils import JobReturn, JobStatus

from runner.errors import BudgetError, ConfigError, DiskError, GenerationFailedError, RunnerError, UncertainError
from runner.sweeps.launcher import exit_code

DONE, FAILED, UNCERTAIN = None, GenerationFailedError(""), UncertainError("")


def ended(error: RunnerError | None) -> JobReturn:
    status = JobStatus.COMPLETED if error is None else JobStatus.FAILED
    return JobReturn(status=status, _return_value=error)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([DONE, DONE], 0),
        ([UNCERTAIN, DONE], 4),
        ([UNCERTAIN, ConfigError("")], 2),
        ([FAILED, ConfigError("")], 1),
        ([FAILED, UNCERTAIN, BudgetError("")], 3),
        ([BudgetError(""), DiskError(""), FAILED], 5),
    ],
)
def test_the_gravest_end_of_any_run_is_the_sweeps(errors, code):
    assert exit_code([ended(error) for error in errors]) == code
    assert exit_code([[ended(error)] for error in errors]) == code, "in batches"
