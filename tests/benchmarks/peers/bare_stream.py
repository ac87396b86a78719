"""One video streamed to disk by the bare SDK, hashed on the way. Usage: BASE_URL DIRECTORY [fsync]."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import openai

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def main(base_url: str, path: Path, flush: bool) -> None:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="bench") as client:
        video = await client.videos.create(model="sora-2", prompt=PROMPT, seconds="8", size="1280x720")
        while video.status not in ("completed", "failed"):
            await asyncio.sleep(0.1)
            video = await client.videos.retrieve(video.id)
        digest = hashlib.sha256()
        with path.open("wb") as file:
            async with client.videos.with_streaming_response.download_content(video.id) as content:
                async for chunk in content.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        print(digest.hexdigest())


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]) / "video.mp4", sys.argv[3:] == ["fsync"]))
