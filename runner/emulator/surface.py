"""Speak as OpenAI or Azure: how each authenticates, names models and words errors."""

from __future__ import annotations

import base64
import json
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import catalog
from .catalog import ImageRules
from .settings import EmulatorSettings


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
    """Return 400 for a parameter that the operation does not have."""
    return Refusal(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def missing_parameter(name: str) -> Refusal:
    """Return 400 for a required parameter that is absent."""
    return Refusal(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def invalid_value(name: str, given: object, allowed: str) -> Refusal:
    """Return 400 for a value outside of what `allowed` describes."""
    return Refusal(400, f"Invalid value: {given!r}. {allowed}", param=name, code="invalid_value")


def invalid_type(name: str, expected: str, given: object) -> Refusal:
    """Return 400 for a value of the wrong JSON type."""
    message = f"Invalid type for '{name}': expected {expected}, but got {type(given).__name__} instead."
    return Refusal(400, message, param=name, code="invalid_type")


def model_not_found(name: str) -> Refusal:
    """Return 404 for a model that does not exist."""
    message = f"The model '{name}' does not exist or you do not have access to it."
    return Refusal(404, message, param="model", code="model_not_found")


_JWT = re.compile(r"eyJ[\w-]+={0,2}\.[\w-]+={0,2}\.[\w-]*={0,2}")


def is_jwt(text: str) -> bool:
    """Return whether this is a token by its form."""
    return _JWT.fullmatch(text) is not None


def is_expired(token: str, now: float) -> bool:
    """Return whether a token's `exp` claim lies before `now`, in Unix seconds; without one it never expires."""
    payload = token.split(".")[1].rstrip("=")
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return False
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    return isinstance(expiry, int | float) and expiry <= now


_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_STALE = (
    "Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."
)
_CROWDED = "Too many running tasks. Please cancel some running tasks or try again later."
_NO_DEPLOYMENT = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an `Authorization: Bearer` header, or an empty string."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Surface:
    """Speak the API as OpenAI's `/v1` does; others say what they do in another way."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings

    def authorize(self, headers: Mapping[str, str]) -> None:
        """Raise Refusal(401) unless the request carries an accepted credential."""
        key = bearer(headers)
        if not key:
            raise Refusal(401, "You didn't provide an API key.")
        if self.settings.api_key not in (None, key):
            raise Refusal(401, f"Incorrect API key provided: {key[:3]}***.", code="invalid_api_key")

    def check_version(self, version: str | None) -> None:
        """Refuse an `api-version` that this surface does not have."""

    def error(self, refusal: Refusal) -> dict[str, object]:
        """Return the body of an error answer."""
        return {"error": {name: getattr(refusal, name) for name in ("message", "type", "param", "code")}}

    def video_sizes(self, model: str) -> tuple[str, ...]:
        """Return the sizes a video model offers; raises Refusal(404) when there is no such model."""
        names = self.settings.models
        if not (model in names if names is not None else model.startswith("sora")):
            raise model_not_found(model)
        return catalog.video_sizes(model)

    def image_rules(self, model: str) -> ImageRules:
        """Return the limits of an image model; raises Refusal(404) when there is no such model."""
        names = self.settings.models
        if not (model in names if names is not None else model in catalog.IMAGE_MODELS):
            raise model_not_found(model)
        return catalog.IMAGE_MODELS.get(model, catalog.DEPLOYED_IMAGE)

    def check_chat(self, model: str) -> None:
        """Raise Refusal(404) when there is no chat model of this name; without a list of names, there is any."""
        if self.settings.models is not None and model not in self.settings.models:
            raise model_not_found(model)

    def filtered(self) -> Refusal:
        """Return the refusal of a prompt that the content filter dislikes."""
        message = "Your request was rejected by the safety system."
        return Refusal(400, message, type="image_generation_user_error", code="content_filter")

    def crowded(self) -> Refusal:
        """Return the refusal of one more job when as many run as may."""
        return Refusal(429, _CROWDED, "requests", code="rate_limit_exceeded")

    def exceeded(self, most: int, wait: float) -> Refusal:
        """Return the refusal of a paid request beyond the `most` of a minute, for another `wait` real seconds."""
        used = f"Limit {most}, Used {most}, Requested 1. Please try again in {self.span(wait)}."
        message = f"Rate limit reached on requests per min (RPM): {used}"
        return Refusal(429, message, "requests", code="rate_limit_exceeded", headers=self.refused_for(most, wait))

    def span(self, seconds: float) -> str:
        """Return how the x-ratelimit headers write a duration in real seconds."""
        if seconds < 1:
            return f"{math.ceil(1000 * seconds)}ms"
        minutes, rest = divmod(round(seconds, 3), 60)
        return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"

    def allowance(self, most: int, remaining: int, reset: float) -> dict[str, str]:
        """Return the headers that tell of the limit of paid requests; `reset` is in real seconds."""
        return {
            "x-ratelimit-limit-requests": str(most),
            "x-ratelimit-remaining-requests": str(remaining),
            "x-ratelimit-reset-requests": self.span(reset),
        }

    def refused_for(self, most: int, wait: float) -> dict[str, str]:
        """Return the headers of a refusal beyond the limit: whole emulated seconds, as servers count."""
        seconds = self.settings.real(math.ceil(wait * self.settings.time_scale))
        return {"retry-after": f"{seconds:g}", **self.allowance(most, 0, wait)}

    def job_id(self) -> str:
        """Return an id for a new job."""
        return f"video_{secrets.token_hex(24)}"

    def models(self) -> tuple[str, ...]:
        """Return the names that `GET /models` lists."""
        return self.settings.models or (*catalog.VIDEO_MODELS, *catalog.IMAGE_MODELS)


class AzureSurface(Surface):
    """Speak Azure's `/openai/v1`, and with `dated` its `/openai/deployments/...?api-version=DATE`."""

    def __init__(
        self, settings: EmulatorSettings, *, dated: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(settings)
        self._dated = dated
        self._now = now

    def authorize(self, headers: Mapping[str, str]) -> None:
        key, token = headers.get("api-key", ""), bearer(headers)
        denied = is_jwt(key) or self.settings.api_key not in (None, key) if key else not is_jwt(token)
        if denied:
            raise Refusal(401, _DENIED, type=None, code="401")
        if not key and is_expired(token, self._now()):
            raise Refusal(401, _STALE, type=None, code="401")

    def check_version(self, version: str | None) -> None:
        if self._dated and version is None:
            raise Refusal(404, "Resource not found", type=None, code="404")
        accepted = _DATED.fullmatch(version or "") if self._dated else version in (None, "preview", "v1")
        if not accepted:
            raise Refusal(400, "API version not supported", type=None, code="BadRequest")

    def error(self, refusal: Refusal) -> dict[str, object]:
        error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
        if refusal.type is not None:
            error |= {"type": refusal.type, "param": refusal.param}
        if refusal.inner is not None:
            error["inner_error"] = dict(refusal.inner)
        return {"error": error}

    def _check_deployment(self, name: str) -> None:
        """Raise Refusal(404) unless the resource has a deployment of this name."""
        if self.settings.deployments is not None and name not in self.settings.deployments:
            raise Refusal(404, _NO_DEPLOYMENT, type=None, code="DeploymentNotFound")

    def video_sizes(self, model: str) -> tuple[str, ...]:
        self._check_deployment(model)
        return catalog.STANDARD_SIZES

    def image_rules(self, model: str) -> ImageRules:
        self._check_deployment(model)
        return catalog.IMAGE_MODELS.get(model, catalog.DEPLOYED_IMAGE)

    def check_chat(self, model: str) -> None:
        self._check_deployment(model)

    def filtered(self) -> Refusal:
        message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
        result = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual")}
        inner = {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_results": {**result, "violence": {"filtered": True, "severity": "medium"}},
        }
        return Refusal(400, message, param="prompt", code="content_filter", inner=inner)

    def crowded(self) -> Refusal:
        return Refusal(429, _CROWDED, type=None, code="429")

    def exceeded(self, most: int, wait: float) -> Refusal:
        message = (
            "Requests to this Operation under Azure OpenAI API version preview have exceeded call rate "
            f"limit of your current OpenAI S0 pricing tier. Please retry after {self.span(wait)} seconds."
        )
        return Refusal(429, message, type=None, code="429", headers=self.refused_for(most, wait))

    def span(self, seconds: float) -> str:
        return f"{self.settings.real(math.ceil(seconds * self.settings.time_scale)):g}"

    def models(self) -> tuple[str, ...]:
        return self.settings.deployments or (*catalog.VIDEO_MODELS, *catalog.IMAGE_MODELS)
