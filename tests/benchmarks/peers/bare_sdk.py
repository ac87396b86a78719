"""What a careful person writes by hand over the bare SDK: create, poll each second, stream to disk.

Usage: BASE_URL COUNT DIRECTORY REQUESTS_AT_A_TIME (0: no bound) [checked].

`checked`: each file is also hashed, checked and given a thumbnail, by the code that runner does it with.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from contextlib import nullcontext
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def check(path: Path) -> None:
    from runner.artifacts.probe import probe

    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    probe(path, thumbnail=True)


async def one(
    client: openai.AsyncOpenAI, path: Path, bound: asyncio.Semaphore | nullcontext[None], *, checked: bool
) -> None:
    async with bound:
        video = await client.videos.create(model="sora-2", prompt=PROMPT, seconds="8", size="1280x720")
    while video.status not in ("completed", "failed"):
        await asyncio.sleep(1)
        async with bound:
            video = await client.videos.retrieve(video.id)
    async with bound, client.videos.with_streaming_response.download_content(video.id) as content:
        await content.stream_to_file(path)
    if checked:
        await asyncio.to_thread(check, path)


async def main(base_url: str, count: int, directory: Path, at_a_time: int, *, checked: bool) -> None:
    bound = asyncio.Semaphore(at_a_time) if at_a_time else nullcontext()
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        paths = [directory / str(number) / "video.mp4" for number in range(count)]
        await asyncio.gather(*(one(client, path, bound, checked=checked) for path in paths))


if __name__ == "__main__":
    for each in range(int(sys.argv[2])):
        Path(sys.argv[3], str(each)).mkdir(parents=True)
    asyncio.run(
        main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), checked=sys.argv[5:] == ["checked"])
    )
