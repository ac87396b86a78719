"""The same as bare_sdk.py through LiteLLM's own functions. Usage: BASE_URL COUNT DIRECTORY REQUESTS_AT_A_TIME."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import litellm

PROMPT = "A timelapse of a city skyline from dawn to dusk"


async def one(where: dict[str, str], path: Path, bound: asyncio.Semaphore) -> None:
    async with bound:
        video = await litellm.avideo_generation(
            model="openai/sora-2", prompt=PROMPT, seconds="8", size="1280x720", **where
        )
    while video.status not in ("completed", "failed"):
        await asyncio.sleep(1)
        async with bound:
            video = await litellm.avideo_status(video_id=video.id, custom_llm_provider="openai", **where)
    async with bound:
        content = await litellm.avideo_content(video_id=video.id, custom_llm_provider="openai", **where)
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def main(base_url: str, count: int, directory: Path, at_a_time: int) -> None:
    bound, where = asyncio.Semaphore(at_a_time), {"api_base": base_url, "api_key": "bench"}
    await asyncio.gather(*(one(where, directory / f"{number}.mp4", bound) for number in range(count)))


if __name__ == "__main__":
    Path(sys.argv[3]).mkdir(parents=True)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
