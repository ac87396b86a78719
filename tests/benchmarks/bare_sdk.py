"""The peer: what a careful person writes by hand, one `gather` over the bare SDK. Usage: BASE_URL COUNT DIRECTORY."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(client: openai.AsyncOpenAI, path: Path) -> None:
    video = await client.videos.create(model="sora-2", prompt=PROMPT, seconds="8", size="1280x720")
    while video.status not in ("completed", "failed"):
        await asyncio.sleep(1)
        video = await client.videos.retrieve(video.id)
    content = await client.videos.download_content(video.id)
    await content.astream_to_file(path)


async def main(base_url: str, count: int, directory: Path) -> None:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        await asyncio.gather(*(one(client, directory / f"{number}.mp4") for number in range(count)))


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
