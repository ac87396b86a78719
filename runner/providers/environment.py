"""What the environment says about the way to a host: proxies and certificate authorities."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from runner.config import Problem
from runner.errors import ConfigError

from .endpoint import is_loopback

_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
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
    if kind is None or is_loopback(host) or proxy_bypass(_with_port(host, parts.port)) or _excepted(host, proxies):
        return None
    named = proxies[kind].strip()
    return Proxy(_variable(f"{kind}_proxy"), named if "://" in named else f"http://{named}")


def _with_port(host: str, port: int | None) -> str:
    return host if port is None or ":" in host else f"{host}:{port}"


def _excepted(host: str, proxies: dict[str, str]) -> bool:
    """Return whether NO_PROXY names a network that holds the address `host`."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for entry in proxies.get("no", "").split(","):
        try:
            network = ip_network(entry.strip().strip("[]"), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False


def _variable(name: str) -> str:
    """Return the variable as it is spelled in the environment, lower case first, as it is read."""
    return next((spelled for spelled in (name, name.upper()) if os.environ.get(spelled)), "the system's proxy settings")


def check_environment(url: str) -> Iterator[Problem]:
    """Yield what is wrong with the variables that decide how `url` is reached; sends nothing, repeats no password."""
    proxy = proxy_of(url)
    if proxy is not None:
        yield from _check_proxy(proxy)
    problem = _check_authorities()
    if problem is not None:
        # Files may lie at https:// addresses where the endpoint itself does not.
        yield problem if url.lower().startswith("https:") else problem.as_warning()


def require_proxy(proxy: Proxy | None) -> None:
    """Raise `ConfigError` if the proxy is of a kind that cannot be used here."""
    for problem in () if proxy is None else _check_proxy(proxy):
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


def _check_proxy(proxy: Proxy) -> Iterator[Problem]:
    name = proxy.variable
    try:
        scheme = _split(proxy.url).scheme.lower()
    except ValueError:
        yield Problem(name, "is no address of a proxy", f"{name}={_HTTP_ONLY}, or unset {name}")
        return
    if scheme not in _SCHEMES:
        yield Problem(name, f"names a proxy of an unknown kind, {scheme}://", f"{name}={_HTTP_ONLY}, or unset {name}")
    elif scheme.startswith("socks") and find_spec("socksio") is None:
        yield Problem(name, "names a SOCKS proxy, for which a package is missing",
                      f"pip install 'httpx2[socks]', or unset {name}")  # fmt: skip


def _check_authorities() -> Problem | None:
    """What is wrong with SSL_CERT_FILE or SSL_CERT_DIR; the first one that is set counts, as in the HTTP client."""
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
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(file))
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None
