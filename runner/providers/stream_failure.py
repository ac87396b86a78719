"""An error that a server tells in the middle of a stream."""

from __future__ import annotations

from typing import Any

import openai

from runner.errors import ContentModerationError, GenerationFailedError, RunnerError

from .answer import Redact
from .call import Call
from .content_filter import categories, code_of_filter, words_of_filter
from .excerpt import one_line
from .json_answer import kept


def stream_failure(error: openai.APIError, call: Call, redact: Redact) -> RunnerError:
    """What the error event of a stream means: the generation was begun and has failed, as a job fails."""
    body = kept(error.body, redact) if isinstance(error.body, dict) else {}
    code = body.get("code") or body.get("type")
    said = one_line(redact(error.message))
    # Any: keyword arguments of the errors
    details: dict[str, Any] = {**call.details, "code": None if code is None else one_line(str(code), 80)}
    if code_of_filter(body.get("code"), body.get("type")) or words_of_filter(error.message):
        found = categories(body, body)
        because = f" for {', '.join(found)}" if found else ""
        return ContentModerationError(
            f"{call.place.host}'s content filter refused to {call.action}{because}: {said}",
            hint="change request.prompt or the input image; what was begun may be charged", **details,
        )  # fmt: skip
    return GenerationFailedError(
        f"{call.place.host} began to {call.action} and failed: {said}",
        hint="it is not sent again by itself; what was begun may be charged", **details,
    )  # fmt: skip
