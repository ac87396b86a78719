"""Images by the bare SDK. Usage: BASE_URL COUNT DIRECTORY REQUESTS_AT_A_TIME (0: no bound)."""

from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import nullcontext
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(client: openai.AsyncOpenAI, path: Path, bound: asyncio.Semaphore | nullcontext[None]) -> None:
    async with bound:
        answer = await client.images.generate(model="gpt-image-1", prompt=PROMPT, size="1024x1024")
        _write(path, (answer.data or [])[0].b64_json or "")


def _write(path: Path, content: str) -> None:
    path.write_bytes(base64.b64decode(content))


async def main(base_url: str, count: int, directory: Path, at_a_time: int) -> None:
    bound = asyncio.Semaphore(at_a_time) if at_a_time else nullcontext()
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        await asyncio.gather(*(one(client, directory / f"{number}.png", bound) for number in range(count)))


if __name__ == "__main__":
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
