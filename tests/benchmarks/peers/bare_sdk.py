"""What a careful person writes by hand over the bare SDK: create, poll each second, stream to disk.

Usage: BASE_URL COUNT DIRECTORY REQUESTS_AT_A_TIME (0: no bound).
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(client: openai.AsyncOpenAI, path: Path, bound: asyncio.Semaphore | nullcontext[None]) -> None:
    async with bound:
        video = await client.videos.create(model="sora-2", prompt=PROMPT, seconds="8", size="1280x720")
    while video.status not in ("completed", "failed"):
        await asyncio.sleep(1)
        async with bound:
            video = await client.videos.retrieve(video.id)
    async with bound, client.videos.with_streaming_response.download_content(video.id) as content:
        await content.stream_to_file(path)


async def main(base_url: str, count: int, directory: Path, at_a_time: int) -> None:
    bound = asyncio.Semaphore(at_a_time) if at_a_time else nullcontext()
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        await asyncio.gather(*(one(client, directory / f"{number}.mp4", bound) for number in range(count)))


if __name__ == "__main__":
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
