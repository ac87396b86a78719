"""Define what every config object is: immutable, closed, and silent about its input when it fails."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A positive number of seconds."""

Off = BeforeValidator(lambda value: "off" if value is False else value)
"""For words among which `off` is one: YAML 1.1 reads an unquoted off as false."""


class Frozen(BaseModel):
    """Base all config on one model: frozen, no unknown key, and no input value in its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)
