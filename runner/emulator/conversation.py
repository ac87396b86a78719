"""Read what a chat's messages say and show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .reference import linked_image
from .surface import Refusal, invalid_type


def said_in(messages: object) -> str | None:
    """Return all text of messages; None where these are none."""
    texts = [part["text"] for part in _parts(messages) if isinstance(part.get("text"), str)]
    return "\n".join(texts) or None


def seen_in(messages: object) -> list[list[bytes]]:
    """Return the images of messages, those together that no text stands between; raises Refusal(400)."""
    groups: list[list[bytes]] = [[]]
    for part in _parts(messages):
        if part.get("type") != "image_url":
            groups.append([])
            continue
        image = part.get("image_url")
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise invalid_type("messages", "an object with a url as image_url", image)
        groups[-1].append(linked_image({"image_url": image["url"]}, "messages"))
    return [group for group in groups if group]


def refuse_no_messages(messages: object) -> None:
    """Raise Refusal(400) unless there is a message, each with a role."""
    if not isinstance(messages, list) or not messages:
        raise invalid_type("messages", "an array of messages", messages)
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refusal(400, "Each message has a role and content.", param="messages", code="invalid_value")


def _parts(messages: object) -> Iterator[dict[str, Any]]:  # Any: JSON
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield {"type": "text", "text": content}
        elif isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))
