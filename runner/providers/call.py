"""Describe a call in the words of an error message: where it went, what it asked for, what its failure means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .credentials import ENTRA_SOURCE
from .endpoint import Proxy


@dataclass(frozen=True, slots=True)
class Place:
    """Describe the endpoint that calls go to.

    Attributes:
        provider: the provider's kind.
        endpoint: its canonical address.
        key_source: where its credential came from, usually a variable's name.
        sends_api_key: whether the credential travels in Azure's `api-key` header.
        proxy: the proxy that the way there leads through.
    """

    provider: str
    endpoint: str
    key_source: str | None = None
    sends_api_key: bool = False
    proxy: Proxy | None = None

    @property
    def host(self) -> str:
        """Return host and port."""
        return urlsplit(self.endpoint).netloc or self.endpoint

    @property
    def azure(self) -> bool:
        """Return whether models are deployments here."""
        return self.provider == "azure_openai"

    @property
    def entra(self) -> bool:
        """Return whether requests are signed with tokens of Entra ID that renew themselves."""
        return self.key_source == ENTRA_SOURCE


@dataclass(frozen=True, slots=True)
class Call:
    """Describe one request to an endpoint.

    Attributes:
        place: where it goes.
        action: what it asks for, in the infinitive: "create the video".
        paid: whether it costs money if the endpoint acts on it.
        model: what is sent as the model.
        job_id: the job it is about.
        source: the job that a new one starts from.
    """

    place: Place
    action: str
    paid: bool = False
    model: str | None = None
    job_id: str | None = None
    source: str | None = None

    @property
    def details(self) -> dict[str, Any]:  # Any: keyword arguments of the errors
        """Return what every error about this call carries."""
        return {"provider": self.place.provider, "model": self.model, "job_id": self.job_id}
