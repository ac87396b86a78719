"""What Hydra and OmegaConf have against a config, said as a problem of the user's, with what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import ConfigError

if TYPE_CHECKING:
    from .hydra_app import HydraApp


@contextmanager
def composing(app: HydraApp) -> Iterator[None]:
    """Turn their exceptions into a `ConfigError` that names the key."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from runner.sweep.composition_error import problem_of

    try:
        yield
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"a config file cannot be read: {where}", hint="mend its YAML") from error
    except (HydraException, OmegaConfBaseException) as error:
        problem = problem_of(error, app.config_loader)
        text = f"{problem.key}: {problem.message}" if problem.key else problem.message
        raise ConfigError(text, hint=problem.hint) from error
