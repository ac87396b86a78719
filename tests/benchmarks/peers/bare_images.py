"""Images by the bare SDK. Usage: BASE_URL COUNT DIRECTORY REQUESTS_AT_A_TIME (0: no bound) [checked].

`checked`: each file is also hashed, checked and given a thumbnail, by the code that runner does it with.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from contextlib import nullcontext
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(
    client: openai.AsyncOpenAI, path: Path, bound: asyncio.Semaphore | nullcontext[None], *, checked: bool
) -> None:
    async with bound:
        answer = await client.images.generate(model="gpt-image-1", prompt=PROMPT, size="1024x1024")
        _write(path, (answer.data or [])[0].b64_json or "")
    if checked:
        await asyncio.to_thread(_check, path)


def _write(path: Path, content: str) -> None:
    path.write_bytes(base64.b64decode(content))


def _check(path: Path) -> None:
    from runner.artifacts.picture import examine, write_thumbnail

    hashlib.sha256(path.read_bytes())
    if (small := examine(path).small) is not None:
        write_thumbnail(small, path.parent)


async def main(base_url: str, count: int, directory: Path, at_a_time: int, *, checked: bool) -> None:
    bound = asyncio.Semaphore(at_a_time) if at_a_time else nullcontext()
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        paths = [directory / str(number) / "image-0.png" for number in range(count)]
        await asyncio.gather(*(one(client, path, bound, checked=checked) for path in paths))


if __name__ == "__main__":
    for each in range(int(sys.argv[2])):
        Path(sys.argv[3], str(each)).mkdir(parents=True)
    asyncio.run(
        main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), checked=sys.argv[5:] == ["checked"])
    )
