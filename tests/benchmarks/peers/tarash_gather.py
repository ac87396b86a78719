"""The same through tarash-gateway: one `gather`, each video written as it comes. Usage: BASE_URL COUNT DIRECTORY."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path

from tarash.tarash_gateway import generate_video_async
from tarash.tarash_gateway.models import VideoGenerationConfig, VideoGenerationRequest

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(config: VideoGenerationConfig, path: Path) -> None:
    request = VideoGenerationRequest(prompt=PROMPT, duration_seconds=8, aspect_ratio="16:9")
    response = await generate_video_async(config, request)
    video = response.video
    _write(path, _content(video["content"] if isinstance(video, dict) else video))


def _content(video: bytes | str) -> bytes:
    return video if isinstance(video, bytes) else base64.b64decode(video.rpartition(",")[2])


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def main(base_url: str, count: int, directory: Path) -> None:
    config = VideoGenerationConfig(
        provider="openai", model="sora-2", api_key="bench", base_url=base_url, poll_interval=1, max_poll_attempts=600
    )
    await asyncio.gather(*(one(config, directory / f"{number}.mp4") for number in range(count)))


if __name__ == "__main__":
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
