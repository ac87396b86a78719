"""A request that the API refuses: raised anywhere, answered in the caller's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Refusal(Exception):  # noqa: N818  (an answer of the API, not an error of this program)
    """Describe one refused request: HTTP status and the four fields of OpenAI's error envelope."""

    status: int
    message: str
    type: str | None = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)


def unknown_parameter(name: str) -> Refusal:
    """400 for a parameter that the operation does not have."""
    return Refusal(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def missing_parameter(name: str) -> Refusal:
    """400 for a required parameter that is absent."""
    return Refusal(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def invalid_value(name: str, given: object, allowed: str) -> Refusal:
    """400 for a value outside of what `allowed` describes."""
    return Refusal(400, f"Invalid value: {given!r}. {allowed}", param=name, code="invalid_value")


def invalid_type(name: str, expected: str, given: object) -> Refusal:
    """400 for a value of the wrong JSON type."""
    message = f"Invalid type for '{name}': expected {expected}, but got {type(given).__name__} instead."
    return Refusal(400, message, param=name, code="invalid_type")


def video_not_found(video_id: str) -> Refusal:
    """404 for an id that names no job, or a deleted one."""
    return Refusal(404, f"Video with id '{video_id}' not found.", code="not_found")


def model_not_found(name: str) -> Refusal:
    """404 for a model that does not exist."""
    message = f"The model '{name}' does not exist or you do not have access to it."
    return Refusal(404, message, param="model", code="model_not_found")
