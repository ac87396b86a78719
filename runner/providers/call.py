"""Describe a call in the words of an error message, and what a content filter objected to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .credentials import ENTRA_SOURCE
from .endpoint import Proxy
from .json_answer import plain


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


_RESULTS = ("content_filter_result", "content_filter_results")

_CODES = (
    "contentfilter", "contentpolicy", "contentmoderat", "contentviolation", "contentsafety", "moderation", "moderated",
    "responsibleai", "safety", "sentinel", "sensitive", "filtered", "prohibitedcontent", "prohibiteduse", "recitation",
    "nsfw", "raimedia", "raifilter", "datainspection", "riskcontrol", "blocklist", "policyviolation", "inappropriate",
    "unsafe", "guardrail", "privacyinformation", "copyright", "intellectualproperty", "publicfigure", "celebrity",
)  # fmt: skip
"""Parts of the codes by which servers say that a filter struck, in lower case and without separators."""

_NO_CODES = ("safetyidentifier", "safetysetting", "casesensitive", "ratelimit", "unavailable")
"""Parts of codes that sound like a filter's and speak of something else."""

_WORDS = re.compile(
    r"""content[ _-]?(policy|policies|filter\w*|moderation|safety|management\ policy|guidelines)
    | safety[ _-](system|filter\w*|polic\w+|guideline\w*|check\w*|settings|reasons?|violation)
    | (child|image|input|output)[ _]safety | moderation | moderated | nsfw | not\ safe\ for\ work
    | (input|output)[ _](new_)?sensitive | sensitive[ _]?(content|information|words?|material|topic\w*) | inappropriate
    | prohibited[ _](content|use|by) | recitation | responsible\ ai | risk[ _]control | raimediafilter\w*
    | usage\ (polic\w+|guideline\w*) | community\ (guideline|standard)\w* | data[ _]?inspection | datainspectionfailed
    | violat\w+ [^.]{0,60} \b(polic\w+|guideline\w*|terms|standards) \b
    | (blocked|rejected|refused|filtered|flagged|removed) \b [^.]{0,60} \b(polic\w+|safety|filters?|unsafe|harmful
        |sexual|violence|violent|hate|explicit|copyright\w*|public\ figure|real\ (person|people))\b
    | \b(filtered|flagged)\b | third-party\ content | copyright(ed)?\ (material|content|restrict\w+)
    | 敏感 | 违规 | 违禁 | 审核 | 合规 | 风控 | 不当内容 | 涉黄 | 涉政
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TROUBLE = re.compile(
    r"\b(unavailable|timed[ -]?out|time-?out|unreachable|not reach\w*|connection|internal (server )?error"
    r"|try again later)\b",
    re.IGNORECASE,
)
"""Words by which it is the filter that failed, and not what was asked for."""

_TAKEN = re.compile(
    r"filtered|block\w*|reject\w*|refus\w*|removed|withheld|flagged|violat\w*|prohibit\w*|not allowed|未通过",
    re.IGNORECASE,
)

_REASONS = frozenset({"raimediafilteredreasons", "raimediafilteredreason", "blockreason", "blockreasonmessage"})
_ENDS = frozenset({"finishreason", "stopreason"})
_MOST_NODES = 2000
_ECHO = 4
"""Words in a row that a message must share with the prompt to be repeating it."""


def categories(*nodes: object) -> list[str]:
    """Return the filters that struck in any of these JSON objects, each once, with its severity."""
    return list(dict.fromkeys(name for node in nodes for name in _struck(node)))


def code_of_filter(*codes: object) -> bool:
    """Return whether one of an error's codes or types is a filter's, whatever its maker and spelling."""
    known = [plain(str(code)) for code in codes if code]
    return any(part in code for code in known for part in _CODES if not any(other in code for other in _NO_CODES))


def words_of_filter(message: str | None, prompt: str = "") -> bool:
    """Return whether the message of a failure says that a filter struck; what it repeats of `prompt` says nothing."""
    said = _without(message or "", prompt)
    return _WORDS.search(said) is not None and _TROUBLE.search(said) is None


def says_taken(message: str) -> bool:
    """Return whether what a completed job says means that a filter took its file; passing one is said, too."""
    return _TAKEN.search(message) is not None and words_of_filter(message)


def filtered_reasons(raw: object) -> list[str]:
    """Return the reasons for which a filter took what was made, as Google's media filters leave them in an answer."""
    found: list[str] = []
    nodes, seen = [raw], 0
    while nodes and seen < _MOST_NODES:
        node, seen = nodes.pop(), seen + 1
        if isinstance(node, list):
            nodes += [inner for inner in node[:_MOST_NODES] if isinstance(inner, dict | list)]
        elif isinstance(node, dict):
            nodes += [inner for inner in node.values() if isinstance(inner, dict | list)]
            for key, value in node.items():
                name = plain(str(key))
                if value and (name in _REASONS or (name in _ENDS and code_of_filter(value))):
                    found += [str(each) for each in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(found))


def _without(message: str, prompt: str) -> str:
    """Return the message without what it repeats of the prompt."""
    if len(prompt.split()) > 1:
        message = re.sub(re.escape(prompt.strip()), " ", message, flags=re.IGNORECASE)
    words = message.split()
    asked = set(_runs(prompt.split()))
    echoed = {place + step for place, run in enumerate(_runs(words)) if run in asked for step in range(_ECHO)}
    return " ".join(word for place, word in enumerate(words) if place not in echoed)


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    letters = ["".join(filter(str.isalnum, word)).lower() for word in words]
    return [tuple(letters[place : place + _ECHO]) for place in range(len(letters) - _ECHO + 1)]


def _struck(node: object) -> Iterator[str]:
    if not isinstance(node, Mapping):
        return
    for results in map(node.get, _RESULTS):
        for name, result in results.items() if isinstance(results, Mapping) else ():
            if isinstance(result, Mapping) and (result.get("filtered") or result.get("detected")):
                yield _category(str(name), result)
    # The v1 API lists one result for the prompt and one for what came of it.
    filters = node.get("content_filters")
    for item in filters if isinstance(filters, list) else []:
        yield from _struck(item)


def _category(name: str, result: Mapping[str, Any]) -> str:  # Any: JSON
    details = result.get("details")
    items = [item for item in details if isinstance(item, Mapping)] if isinstance(details, list) else []
    lists = ", ".join(str(item["id"]) for item in items if item.get("filtered") and "id" in item)
    detail = result.get("severity") or lists
    return f"{name} ({detail})" if detail else name
