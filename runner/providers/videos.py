"""The SDK's videos resource, without the warning that each of its methods emits."""

from __future__ import annotations

import inspect
from typing import Any

from openai.resources.videos import AsyncVideos


def _quiet(method: object) -> Any:  # Any: a method of any signature; callers see AsyncVideos' own
    """The method beneath `typing_extensions.deprecated`.

    "The Sora API is scheduled to shut down" is about OpenAI's own server; the protocol lives on at others. A filter
    would be global: `warnings.catch_warnings` is neither thread- nor task-safe, and `filterwarnings` would silence the
    user's own calls too. The undecorated method has nothing to silence.
    """
    return inspect.unwrap(method)  # type: ignore[arg-type]  # typeshed asks for a Callable, any object is right


class QuietVideos(AsyncVideos):
    """`client.videos` whose methods do the same and warn of nothing."""

    create = _quiet(AsyncVideos.create)
    retrieve = _quiet(AsyncVideos.retrieve)
    list = _quiet(AsyncVideos.list)
    delete = _quiet(AsyncVideos.delete)
    remix = _quiet(AsyncVideos.remix)
    edit = _quiet(AsyncVideos.edit)
    extend = _quiet(AsyncVideos.extend)
    download_content = _quiet(AsyncVideos.download_content)
    create_character = _quiet(AsyncVideos.create_character)
    get_character = _quiet(AsyncVideos.get_character)
