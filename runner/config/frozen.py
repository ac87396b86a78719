"""What every config object is: immutable, closed, and silent about its input when it fails."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A positive number of seconds."""

Off = BeforeValidator(lambda value: "off" if value is False else value)
"""For words among which `off` is one: YAML 1.1 reads an unquoted off as false."""


_GIVEN: dict[frozenset[str], set[str]] = {}
"""Sets of fields by what is in them: the runs of a sweep have few."""


class Frozen(BaseModel):
    """Base of all config: frozen, no unknown key, and no input value in its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    def model_post_init(self, _context: Any) -> None:  # Any: pydantic's
        """Share the set of the fields that were given, which never changes: it is most of what a small object takes."""
        given = self.__pydantic_fields_set__
        object.__setattr__(self, "__pydantic_fields_set__", _GIVEN.setdefault(frozenset(given), given))
