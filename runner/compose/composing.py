"""What Hydra and OmegaConf have against a config, said as problems of the user's, with what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import ConfigError

if TYPE_CHECKING:
    from .app import App


@contextmanager
def composing(app: App, overrides: Sequence[str] | None = None, *, sweep: bool = False) -> Iterator[None]:
    """Turn their exceptions into a `ConfigError` that names the key, or, of the `overrides`, every key at fault.

    `overrides` are those typed where the app composes its own config. A `sweep` is one by its command line; a config
    can make one of any.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"a config file cannot be read: {where}", hint="mend its YAML") from error
    except (HydraException, OmegaConfBaseException) as error:
        from .diagnosis import Diagnosis

        raise Diagnosis(app, overrides, error, sweep=sweep).refusal() from error
