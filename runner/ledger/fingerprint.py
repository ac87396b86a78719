"""What identifies a run's paid work, however its config is spelled."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from runner.config import ProviderConfig, RunConfig, VideoRequest
from runner.errors import ConfigError
from runner.providers.body import build
from runner.providers.endpoint import resolve


def fingerprint(config: RunConfig) -> str:
    """SHA-256 (hex) over the request as sent, the canonical endpoint, and the replica's number.

    Two configs that send the same to the same place have the same one, whatever their limits, keys and spellings are;
    files count by their content. Raises `ConfigError` for a request that cannot be made.
    """
    request = config.request
    work = {
        "endpoint": _place(config.provider),
        "request": _by_content(build(config, config.sent_model).record),
        # An image that is cropped or padded before it is sent is not the image that the config names.
        "fit": request.image_fit if isinstance(request, VideoRequest) and request.image_list else None,
        "replica": config.replica,
    }
    return hashlib.sha256(json.dumps(work, sort_keys=True, default=str).encode()).hexdigest()


def _place(provider: ProviderConfig) -> str:
    try:
        return resolve(provider).identity
    except ValueError as error:
        raise ConfigError(f"provider.base_url {error}") from error


def _by_content(value: Any) -> Any:  # Any: JSON
    """The same with each file's hash in place of its record, whose name says nothing about the work."""
    if isinstance(value, dict):
        return value.get("sha256") or {key: _by_content(each) for key, each in value.items()}
    return [_by_content(each) for each in value] if isinstance(value, list) else value
