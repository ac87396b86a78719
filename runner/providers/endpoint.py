"""Say where requests go: one canonical endpoint from any spelling, its Azure cloud, and the proxy on the way."""

from __future__ import annotations

import functools
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from runner.config.problem import Problem
from runner.config.provider import (
    AddressedConfig,
    AzureOpenAIConfig,
    CompatibleConfig,
    EmulatorConfig,
    OpenAIConfig,
    ProviderConfig,
)
from runner.errors import ConfigError

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"
AZURE_EXAMPLE = "https://RESOURCE.openai.azure.com"

_DATED = re.compile(r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-preview)?$", re.IGNORECASE)
_ROLLING = frozenset({"preview", "v1"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """Describe a canonical endpoint.

    Attributes:
        identity: what it is called in records: independent of the spelling and of the API version.
        base_url: what the API's paths are appended to.
        query: what is sent with every request to `base_url`.
        images_version: Azure's dated API version; images then go to the deployments route under `identity`.
    """

    identity: str
    base_url: str
    query: tuple[tuple[str, str], ...] = ()
    images_version: str | None = None


def resolve(provider: ProviderConfig) -> EndpointAddress:
    """Return the endpoint of a provider's config; raises `ConfigError` where there is none.

    A pool is the same place as its first server, so that it stays the same place as it grows; nothing is sent to it.
    """
    if isinstance(provider, AddressedConfig) and provider.base_urls:
        return EndpointAddress(identity=resolve(provider.server(0)).identity, base_url="")
    match provider:
        case OpenAIConfig():
            return _openai(provider.base_url or OPENAI_URL)
        case AzureOpenAIConfig():
            return _azure(provider)
        case CompatibleConfig():
            if not provider.base_url:
                raise ConfigError("provider.base_url is missing", hint="for example http://127.0.0.1:8000/v1")
            return _openai(provider.base_url)
        case EmulatorConfig():
            # The port changes with each start; what makes it the same place is where its jobs are kept.
            return EndpointAddress(identity=f"emulator:{provider.state_file.absolute()}", base_url="")


def split(url: str) -> SplitResult:
    """Return the parts of an absolute http(s) URL; raises `ValueError` with the reason, never with a password."""
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
    """Return `scheme://host[:port]` in lower case, without a default port, user or password."""
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


def _openai(url: str) -> EndpointAddress:
    parts = split(url)
    path = "/".join(filter(None, parts.path.split("/")))
    if not path and parts.hostname == OPENAI_HOST:
        path = "v1"
    base = f"{origin(parts)}/{path}".rstrip("/")
    return EndpointAddress(identity=base, base_url=base)


def _azure(provider: AzureOpenAIConfig) -> EndpointAddress:
    if not provider.base_url:
        raise ConfigError("provider.base_url is missing", hint=f"for example {AZURE_EXAMPLE}")
    root, version = _azure_root(split(provider.base_url)), api_version(provider)
    rolling = version is not None and version.lower() in _ROLLING
    return EndpointAddress(
        identity=root,
        base_url=f"{root}/openai/v1",
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


_HTTP_ONLY = "http://HOST:PORT, https://, socks5:// or socks5h://"
_PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Describe a proxy that the environment names; `variable` says where, and `url` may hold a password."""

    variable: str
    url: str = field(repr=False)

    @property
    def place(self) -> tuple[str, int]:
        """Return its host and port; raises `ValueError` where there is none."""
        parts = _split(self.url)
        return parts.hostname or "", parts.port or _PROXY_PORTS.get(parts.scheme.lower(), 80)

    @property
    def host(self) -> str:
        """Return host and port as text, without user and password."""
        try:
            return "{}:{}".format(*self.place)
        except ValueError:
            return "its host"


def _split(url: str) -> SplitResult:
    """Return the parts of a proxy's address; raises `ValueError` where it is none."""
    parts = urlsplit(url)
    _ = parts.port
    if not parts.hostname or any(letter.isspace() for letter in parts.hostname):
        raise ValueError("names no host")
    return parts


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy through which `url` is asked; this machine's own servers are asked without one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not any(name.lower().endswith("_proxy") for name in os.environ) and os.name == "posix":
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme.lower(), "all") if proxies.get(kind)), None)
    with_port = host if parts.port is None or ":" in host else f"{host}:{parts.port}"
    if kind is None or is_loopback(host) or proxy_bypass(with_port) or _excepted(host, proxies):
        return None
    named = proxies[kind].strip()
    return Proxy(_variable(f"{kind}_proxy"), named if "://" in named else f"http://{named}")


def _excepted(host: str, proxies: dict[str, str]) -> bool:
    """Return whether NO_PROXY names a network that holds the address `host`."""
    with suppress(ValueError):
        address = ip_address(host)
        for entry in proxies.get("no", "").split(","):
            with suppress(ValueError):
                if address in ip_network(entry.strip().strip("[]"), strict=False):
                    return True
    return False


def _variable(name: str) -> str:
    """Return the variable as it is spelled in the environment, lower case first, as it is read."""
    return next((spelled for spelled in (name, name.upper()) if os.environ.get(spelled)), "the system's proxy settings")


def check_environment(url: str) -> Iterator[Problem]:
    """Yield what is wrong with the variables that decide how `url` is reached; sends nothing, repeats no password."""
    if (wrong := _check_proxy(proxy_of(url))) is not None:
        yield wrong
    if (problem := _check_authorities()) is not None:
        # Files may lie at https:// addresses where the endpoint itself does not.
        yield problem if url.lower().startswith("https:") else problem.as_warning()


def require_proxy(proxy: Proxy | None) -> None:
    """Raise `ConfigError` if the proxy is of a kind that cannot be used here."""
    if (problem := _check_proxy(proxy)) is not None:
        raise _refusal(problem)


def tls_context() -> ssl.SSLContext:
    """Return what verifies servers, by SSL_CERT_FILE or SSL_CERT_DIR where set; `ConfigError` names a wrong one."""
    import httpx2

    try:
        context = httpx2.create_ssl_context()
    except OSError as error:
        problem = _check_authorities()
        if problem is None:
            raise ConfigError(
                f"the certificate authorities cannot be read: {error}", hint="SSL_CERT_FILE=FILE"
            ) from None
        raise _refusal(problem) from None
    if os.environ.get("SSL_CERT_DIR") and (problem := _check_authorities()) is not None:
        # The HTTP client would trust nobody, and say that of the server.
        raise _refusal(problem)
    return context


def _refusal(problem: Problem) -> ConfigError:
    return ConfigError(f"{problem.key} {problem.message}", hint=problem.hint)


def _check_proxy(proxy: Proxy | None) -> Problem | None:
    if proxy is None:
        return None
    name = proxy.variable
    try:
        scheme = _split(proxy.url).scheme.lower()
    except ValueError:
        return Problem(name, "is no address of a proxy", f"{name}={_HTTP_ONLY}, or unset {name}")
    if scheme not in _PROXY_PORTS:
        return Problem(name, f"names a proxy of an unknown kind, {scheme}://", f"{name}={_HTTP_ONLY}, or unset {name}")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        return Problem(name, "names a SOCKS proxy, for which a package is missing",
                       f"pip install 'httpx2[socks]', or unset {name}")  # fmt: skip
    return None


def _check_authorities() -> Problem | None:
    """Return what is wrong with SSL_CERT_FILE or SSL_CERT_DIR; the first that is set counts, as in the HTTP client."""
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        reason = _unusable(Path(file))
        hint = "name a PEM file of authorities, or unset SSL_CERT_FILE"
        return None if reason is None else Problem("SSL_CERT_FILE", f"names {file}, which {reason}", hint)
    if directory and not Path(directory).is_dir():
        return Problem("SSL_CERT_DIR", f"names {directory}, which is no directory",
                       "name a directory made by `openssl rehash`, or unset SSL_CERT_DIR")  # fmt: skip
    return None


def _unusable(file: Path) -> str | None:
    if not file.is_file():
        return "does not exist" if not file.exists() else "is no file"
    return _unreadable(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)  # the world's authorities take 40 ms, and every sweep of a process asks
def _unreadable(file: Path, _changed: int) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(file))
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None
