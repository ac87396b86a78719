"""Azure's clouds, told apart by a resource's host: each issues tokens of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Under these names Azure serves nothing but the resource, so that a path before /openai (a Foundry project, /models) is
# no part of the resource's root.
_AZURE_HOST = re.compile(
    r"\.(openai\.azure|services\.ai\.azure|cognitiveservices\.azure|api\.cognitive\.(?:microsoft|azure))\.(com|us|cn)$"
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds.

    Attributes:
        token_scope: what a token for its AI resources is asked for.
        authority: the host that issues tokens.
    """

    token_scope: str
    authority: str


PUBLIC = Cloud("https://cognitiveservices.azure.com/.default", "login.microsoftonline.com")
_SOVEREIGN = {
    "us": Cloud("https://cognitiveservices.azure.us/.default", "login.microsoftonline.us"),
    "cn": Cloud("https://cognitiveservices.azure.cn/.default", "login.chinacloudapi.cn"),
}


def is_azure(host: str | None) -> bool:
    """Whether `host` is named as Azure names its AI resources, in any cloud."""
    return _AZURE_HOST.search(_plain(host)) is not None


def cloud_of(host: str | None) -> Cloud:
    """The cloud of a resource's host; a name that is none of Azure's counts as the public cloud's."""
    found = _AZURE_HOST.search(_plain(host))
    return _SOVEREIGN.get(found.group(2), PUBLIC) if found else PUBLIC


def _plain(host: str | None) -> str:
    return (host or "").lower().rstrip(".")
