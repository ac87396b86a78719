"""The peer: what a careful person writes by hand, one `gather` over the bare SDK.

Usage: BASE_URL COUNT DIRECTORY [check]. With `check` it does the same work as runner: hash, first and last
frame decoded, thumbnail; without, it only downloads.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import warnings
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(client: openai.AsyncOpenAI, path: Path, check: bool) -> None:
    video = await client.videos.create(model="sora-2", prompt=PROMPT, seconds="8", size="1280x720")
    while video.status not in ("completed", "failed"):
        await asyncio.sleep(1)
        video = await client.videos.retrieve(video.id)
    content = await client.videos.download_content(video.id)
    await content.astream_to_file(path)
    if check:
        await asyncio.to_thread(examine, path)


def examine(path: Path) -> None:
    import av

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream)).to_image()
        container.seek(int(stream.duration or 0), stream=stream, backward=True)
        last = None
        for last in container.decode(stream):  # noqa: B007 - the last one is what it is about
            pass
    if last is None:
        sys.exit(f"{path} has no last frame")
    first.thumbnail((320, 320))
    first.save(path.with_suffix(".webp"))
    path.with_suffix(".sha256").write_text(digest)


async def main(base_url: str, count: int, directory: Path, check: bool) -> None:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        await asyncio.gather(*(one(client, directory / f"{number}.mp4", check) for number in range(count)))


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] == ["check"]))
