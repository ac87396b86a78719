"""One job's several ids at a gateway."""

from __future__ import annotations

import base64
import re

_PREFIX = "video_"
_MANAGED = re.compile(r"litellm:custom_llm_provider:[^;]*;model_id:[^;]*;video_id:([^;]+)(?:;.*)?", re.DOTALL)


def backend_id(job_id: str) -> str:
    """Return the id under which a gateway's backend knows a job; any other server's id as it is.

    LiteLLM wraps it together with names of the backend and its model, which differ between the answer to a creation and
    the list: the two texts are no same id. What is asked for is always a whole id as it came, never this one.
    """
    if not job_id.startswith(_PREFIX):
        return job_id
    wrapped = job_id.removeprefix(_PREFIX)
    try:
        text = base64.b64decode(wrapped + "=" * (-len(wrapped) % 4), validate=True).decode()
    except ValueError:
        return job_id
    found = _MANAGED.fullmatch(text)
    return found[1] if found else job_id
