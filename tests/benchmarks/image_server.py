"""A server that answers every request for an image with the same one, and prints its address. Usage: MEGABYTES."""

from __future__ import annotations

import base64
import io
import json
import random
import sys

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runner.emulator.server import base_url, listen
from runner.emulator.settings import EmulatorSettings

SIDE = 1024


def picture(characters: int) -> bytes:
    """A PNG whose base64 has about so many characters: part of it is noise, which does not compress."""
    wanted = characters * 3 // 4
    image = Image.new("RGB", (SIDE, SIDE))
    rows = min(SIDE, wanted // (3 * SIDE))
    noise = random.Random(0).randbytes(3 * SIDE * rows)
    image.paste(Image.frombytes("RGB", (SIDE, rows), noise), (0, 0))
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def main(megabytes: float) -> None:
    """Serve until the end of the process."""
    content = base64.b64encode(picture(int(megabytes * 1e6))).decode()
    answer = json.dumps({"created": 1_800_000_000, "data": [{"b64_json": content}]}).encode()

    async def generate(request: Request) -> Response:
        await request.body()
        return Response(answer, media_type="application/json")

    app = Starlette(routes=[Route("/v1/images/generations", generate, methods=["POST"])])
    sock = listen(EmulatorSettings(state_file="unused"))
    print(base_url(sock), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run([sock])


if __name__ == "__main__":
    main(float(sys.argv[1]))
