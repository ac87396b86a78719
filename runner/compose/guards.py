"""Keep credentials out of all that Hydra prints or writes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.errors import SecretError

_NAME = re.compile(
    r"(^|_)((api|subscription)_?key|ad_?token|access_?token|bearer|token|secret|client_secret|password|passwd|credentials?|"
    r"authorization)$",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"\b(?:eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|(?:xai-|pplx-|r8_|hf_|gsk_|fal_|tgp_v1_|key_|gh[pousr]_)[A-Za-z0-9]{16,}"
    r"|(?:nvapi-|github_pat_|glpat-|AIza|ya29\.)[\w-]{16,}"
    r"|xox[abprs]-[\w-]{16,}|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|[A-Za-z0-9]{40,}JQQJ99[A-Za-z0-9]{10,}"  # Azure
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}:[0-9a-f]{16,})"  # fal.ai
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
"""The forms of makers' keys that no sentence has."""
_MAYBE_KEY = re.compile(r"\bsk-([A-Za-z0-9_-]{12,})|\bBearer\s+([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
"""What is a key if it looks random: a bearer may also ascend, and sk-learn has documentation."""
_RUN = re.compile(r"(?=[A-Za-z]{0,40}[0-9])[A-Za-z0-9]{8,}|[A-Za-z0-9]{16,}")
"""What words of a sentence rarely have: eight letters with a digit among them, or sixteen in a row."""
_LONG_WORD = re.compile(r"[a-z]{1,23}|[A-Z]{1,23}|[A-Z][a-z]{1,22}")
_USERINFO = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^/\s@]+@", re.IGNORECASE)
_ADDRESSES = frozenset({"base_url", "base_urls", "tracking_uri"})
_USER_OF_ADDRESS = re.compile(r"://.*@", re.DOTALL)
"""Up to the last @: a database's password may hold one, a slash or a blank."""
_QUERY = re.compile(r"[?&#;]([a-z_-]*(key|token|secret|password|passwd|sig|signature|auth|code))=", re.IGNORECASE)
_INTERPOLATED = re.compile(r"\$\{\s*(?:oc\.)?env:\s*['\"]?([A-Za-z0-9_]*)", re.IGNORECASE)
_BLOB = re.compile(r"^[A-Za-z0-9+/=_-]{32,}$")
_COMPUTED = re.compile(r"\$\{\s*(?:oc\.)?env:\s*[^,}]*\$\{", re.IGNORECASE)
_RANDOM = re.compile(r"[0-9a-f]{32,}|(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}", re.IGNORECASE)
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_HOLDS_SECRET = re.compile(
    r"(^|_|API|AUTH|ACCESS|SECRET|PRIVATE)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?$", re.IGNORECASE
)
_DICT_KEY = re.compile(r"""['"]?([A-Za-z_][\w-]*)['"]?\s*:""")
_SHORTEST_SECRET = 8

_HINT = (
    "It was not written anywhere. Keep the key in the environment or in .env and name its variable:\n"
    "export OPENAI_API_KEY=…      then      provider.api_key_env=OPENAI_API_KEY"
)
_ADDRESS_HINT = (
    "It was not written anywhere. Keep the key in the environment or in .env and name its variable:\n"
    "provider.api_key_env=OPENAI_API_KEY   or, where it is a header: +provider.headers_env.X-Api-Key=GATEWAY_KEY"
)
_HEADER = re.compile(r"(?:^|\.)headers\.(.+)$")
_HEADER_HINT = (
    "It was not written anywhere. Keep the value in the environment or in .env and name its variable:\n"
    "export GATEWAY_KEY=…      then      +provider.headers_env.{name}=GATEWAY_KEY"
)
_TRACKING_HINT = (
    "It was not written anywhere. Keep the address in the environment or in .env, or only user and password:\n"
    "export MLFLOW_TRACKING_URI=…   or   export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…"
)


def refuse_in_arguments(arguments: Iterable[str], env: Mapping[str, str] = os.environ) -> None:
    """Raise `SecretError` if a command-line argument carries a credential, before Hydra can see it.

    The message names the key, never the value.
    """
    known = _known(env)
    for argument in arguments:
        key, found, value = argument.partition("=")
        path = key.lstrip("+~").split("@")[0]
        if not found:
            path, value = "", argument
        reason = _reason(path, value, known) or _inside_braces(path, value)
        if reason:
            raise SecretError(f"{path or 'an argument'} on the command line {reason}", hint=_hint(path))


def refuse_in_config(container: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> None:  # Any: a config tree
    """Raise `SecretError` if a composed config holds a credential or an interpolation that would reveal one."""
    ConfigGuard(env).refuse(container)


class ConfigGuard:
    """Apply `refuse_in_config` to many configs; the environment is looked through once."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._known = _known(env)

    def refuse(self, container: Mapping[str, Any]) -> None:  # Any: a config tree
        """Raise `SecretError` as `refuse_in_config` does."""
        for path, value in _leaves(container, ""):
            reason = _reason(path, value, self._known)
            if reason:
                raise SecretError(f"{path} in the config {reason}", hint=_hint(path))


def _hint(path: str) -> str:
    if path.endswith(("base_url", "base_urls")):
        return _ADDRESS_HINT
    header = _HEADER.search(path)
    if header is not None:
        return _HEADER_HINT.format(name=header[1])
    return _TRACKING_HINT if path.endswith("tracking_uri") else _HINT


def _leaves(node: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _leaves(value, path)
    # Most are plain dicts; asking what else is a mapping takes longer than all else here.
    elif isinstance(node, dict) or (not isinstance(node, int | float) and isinstance(node, Mapping)):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif node is not None:
        yield path, str(node)


def _reason(path: str, value: str, known: Mapping[str, str]) -> str | None:
    """Return why this value at this key may be a credential, if so; ordered from the surest sign."""
    name = path.rpartition(".")[2].replace("-", "_")
    if name == "api_key_env" or "headers_env." in path:
        named = _ENV_NAME.match(value) and not _holds_key(value) and not _RANDOM.fullmatch(value) and len(value) < 64
        return None if named else _not_a_name(value)
    if _NAME.search(name) and value.strip().lower() not in ("", "null", "none"):
        return "holds a credential"
    if _holds_key(value):
        return "looks like an API key or token"
    if name in ("base_url", "base_urls") and _has_more_than_version(value):
        return "has a query, which would be written down; of a query only api-version is accepted"
    # An expression that begins anywhere takes long over an image.
    userinfo = "://" in value and "@" in value and _USERINFO.search(value)
    if userinfo or (name in _ADDRESSES and (_USER_OF_ADDRESS.search(value) or _QUERY.search(value))):
        return "holds a user, password or key in its URL"
    if _COMPUTED.search(value):
        return "reads a variable of the environment whose name is computed, which may be a credential's"
    if any(_HOLDS_SECRET.search(variable) for variable in _INTERPOLATED.findall(value)):
        return "reads a credential from the environment, which would be printed and saved"
    variable = next((variable for secret, variable in known.items() if secret in value), None)
    return None if variable is None else f"contains the value of {variable}, which stands in your environment"


def _has_more_than_version(url: str) -> bool:
    """Return whether a query or fragment holds anything but an API version, as in ?api-version=2024-10-21."""
    address, _, fragment = url.partition("#")
    pairs = [part.partition("=") for part in re.split("[&;]", address.partition("?")[2]) if part]
    others = any(name.lower() != "api-version" or _is_random(version) for name, _, version in pairs)
    return others or "=" in fragment or _is_random(fragment)


def _holds_key(text: str) -> bool:
    if ";base64," in text[:100]:
        # Megabytes of an image hold any few letters by accident.
        return False
    if _KEY.search(text):
        return True
    return any(_RUN.search(found) for pair in _MAYBE_KEY.findall(text) for found in pair)


def _is_random(value: str) -> bool:
    """Return whether no sentence would hold this value by accident: a password may be an ordinary word."""
    return any(not _LONG_WORD.fullmatch(run) for run in _RUN.findall(value))


def _not_a_name(value: str) -> str:
    likely = _holds_key(value) or _BLOB.match(value) or _RANDOM.fullmatch(value)
    return (
        "holds a key instead of the name of the variable that has it"
        if likely
        else ("must be the name of an environment variable (letters, digits and underscores)")
    )


def _inside_braces(path: str, value: str) -> str | None:
    """Look at the names in `provider={api_key: …}`; prompts may say anything."""
    if path.endswith(("prompt", "prompt_file", "headers_env")) or "{" not in value:
        return None
    names = (name for name in _DICT_KEY.findall(value) if _NAME.search(name.replace("-", "_")))
    return "holds a credential" if next(names, None) else None


def _known(env: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the environment that are credentials by their variable's name, each with that name."""
    held = ((name, value.strip()) for name, value in env.items() if _HOLDS_SECRET.search(name))
    return {value: name for name, value in held if len(value) >= _SHORTEST_SECRET and _is_random(value)}
