"""Say where requests go: one canonical endpoint from any spelling, and the Azure cloud that its host belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit

from runner.config import AzureOpenAIConfig, CompatibleConfig, EmulatorConfig, OpenAIConfig, ProviderConfig
from runner.errors import ConfigError

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"
AZURE_EXAMPLE = "https://RESOURCE.openai.azure.com"

_DATED = re.compile(r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-preview)?$", re.IGNORECASE)
_ROLLING = frozenset({"preview", "v1"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Describe a canonical endpoint.

    Attributes:
        identity: what it is called in records: independent of the spelling and of the API version.
        base_url: what the API's paths are appended to.
        query: what is sent with every request to `base_url`.
        images_version: Azure's dated API version; images then go to the deployments route under `root`.
        root: the address of the Azure resource; elsewhere the same as `base_url`.
    """

    identity: str
    base_url: str
    root: str
    query: tuple[tuple[str, str], ...] = ()
    images_version: str | None = None


def resolve(provider: ProviderConfig) -> Endpoint:
    """Return the endpoint of a provider's config; raises `ConfigError` where there is none."""
    match provider:
        case OpenAIConfig():
            base = _openai_base(provider.base_url or OPENAI_URL)
            return Endpoint(identity=base, base_url=base, root=base)
        case AzureOpenAIConfig():
            return _azure(provider)
        case CompatibleConfig():
            if not provider.base_url:
                raise ConfigError("provider.base_url is missing", hint="for example http://127.0.0.1:8000/v1")
            base = _openai_base(provider.base_url)
            return Endpoint(identity=base, base_url=base, root=base)
        case EmulatorConfig():
            # The port changes with each start; what makes it the same place is where its jobs are kept.
            return Endpoint(identity=f"emulator:{provider.state_file.absolute()}", base_url="", root="")


def split(url: str) -> SplitResult:
    """The parts of an absolute http(s) URL; raises `ValueError` saying what is wrong, never repeating a password."""
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        raise ValueError("contains white space or control characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("has a port or host that is not valid") from None
    if parts.scheme.lower() not in _DEFAULT_PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise ValueError("does not begin with https://")
    if not parts.hostname:
        raise ValueError("names no host")
    return parts


def is_loopback(host: str | None) -> bool:
    """Return whether what is sent to `host` never leaves this machine."""
    name = (host or "").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def origin(parts: SplitResult) -> str:
    """`scheme://host[:port]` in lower case, without a default port, user or password."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(scheme)) else f":{parts.port}"
    return f"{scheme}://{host}{port}"


def api_version(provider: AzureOpenAIConfig) -> str | None:
    """Return the version that the user wrote: in `base_url`'s query, else in the config."""
    query = dict(parse_qsl((provider.base_url or "").partition("?")[2].partition("#")[0]))
    return query.get("api-version") or provider.api_version or None


def is_api_version(version: str) -> bool:
    """Return whether Azure could have published an API version of this form."""
    return _DATED.match(version) is not None or version.lower() in _ROLLING | {"latest"}


def _openai_base(url: str) -> str:
    parts = split(url)
    path = "/".join(filter(None, parts.path.split("/")))
    if not path and parts.hostname == OPENAI_HOST:
        path = "v1"
    return f"{origin(parts)}/{path}".rstrip("/")


def _azure(provider: AzureOpenAIConfig) -> Endpoint:
    if not provider.base_url:
        raise ConfigError("provider.base_url is missing", hint=f"for example {AZURE_EXAMPLE}")
    root, version = _azure_root(split(provider.base_url)), api_version(provider)
    rolling = version is not None and version.lower() in _ROLLING
    return Endpoint(
        identity=root,
        base_url=f"{root}/openai/v1",
        root=root,
        query=(("api-version", version),) if rolling and version else (),
        images_version=version if version and _DATED.match(version) else None,
    )


def _azure_root(parts: SplitResult) -> str:
    if is_azure(parts.hostname):
        return origin(parts)
    segments = [segment for segment in parts.path.split("/") if segment]
    lowered = [segment.lower() for segment in segments]
    if "openai" in lowered:
        segments = segments[: lowered.index("openai")]
    return "/".join([origin(parts), *segments])


# Under these names Azure serves nothing but the resource, so that a path before /openai (a Foundry project, /models) is
# no part of the resource's root.
_AZURE_HOST = re.compile(
    r"\.(openai\.azure|services\.ai\.azure|cognitiveservices\.azure|api\.cognitive\.(?:microsoft|azure))\.(com|us|cn)$"
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Describe one of Azure's clouds.

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
    """Return whether `host` is named as Azure names its AI resources, in any cloud."""
    return _AZURE_HOST.search(_plain(host)) is not None


def cloud_of(host: str | None) -> Cloud:
    """Return the cloud of a resource's host; a name that is none of Azure's counts as the public cloud's."""
    found = _AZURE_HOST.search(_plain(host))
    return _SOVEREIGN.get(found.group(2), PUBLIC) if found else PUBLIC


def _plain(host: str | None) -> str:
    return (host or "").lower().rstrip(".")
