"""The openai SDK alone: a batch of images, its whole file of results parsed. Usage: BASE_URL COUNT DIRECTORY."""

from __future__ import annotations

import base64
import io
import json
import sys
import time
from pathlib import Path

from openai import OpenAI

PROMPT = "A timelapse of a city skyline from dawn to dusk"


def main(base_url: str, count: int, directory: Path) -> None:
    directory.mkdir(parents=True)
    client = OpenAI(base_url=base_url)
    url = "/v1/images/generations"
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": url,
            "body": {"model": "gpt-image-1-mini", "prompt": PROMPT, "size": "1024x1024"},
        }
        for number in range(count)
    ]
    content = "\n".join(map(json.dumps, lines)).encode() + b"\n"
    file = client.files.create(file=("batch.jsonl", io.BytesIO(content)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")
    while batch.status != "completed":
        time.sleep(0.25)
        batch = client.batches.retrieve(batch.id)
    results = client.files.content(str(batch.output_file_id)).text
    for parsed in map(json.loads, results.splitlines()):
        image = parsed["response"]["body"]["data"][0]["b64_json"]
        (directory / f"{parsed['custom_id']}.png").write_bytes(base64.b64decode(image))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
