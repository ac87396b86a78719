"""A server of batches that are done at once: each line is answered with the same image. Usage: MEGABYTES."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator

import uvicorn
from image_server import picture
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.server import base_url, listen
from runner.emulator.settings import EmulatorSettings

_USAGE = {"input_tokens": 9, "output_tokens": 272, "total_tokens": 281}


def main(megabytes: float) -> None:
    """Serve until the end of the process."""
    content = base64.b64encode(picture(int(megabytes * 1e6))).decode()
    files: dict[str, bytes] = {}
    batches: dict[str, dict[str, object]] = {}

    async def upload(request: Request) -> Response:
        form = await request.form()
        name = f"file-{len(files)}"
        files[name] = await form["file"].read()
        return JSONResponse({"id": name, "object": "file"})

    async def create(request: Request) -> Response:
        asked = await request.json()
        count = files[asked["input_file_id"]].count(b"\n")
        batch = {
            "id": f"batch_{len(batches)}",
            "object": "batch",
            "status": "completed",
            "created_at": 1_800_000_000,
            "metadata": asked.get("metadata"),
            "input_file_id": asked["input_file_id"],
            "output_file_id": f"out-{asked['input_file_id']}",
            "request_counts": {"total": count, "completed": count, "failed": 0},
        }
        batches[str(batch["id"])] = batch
        return JSONResponse({**batch, "status": "validating", "output_file_id": None})

    async def retrieve(request: Request) -> Response:
        return JSONResponse(batches[request.path_params["name"]])

    async def results(request: Request) -> Response:
        names = [json.loads(line)["custom_id"] for line in files[request.path_params["name"][4:]].splitlines()]
        lines = [_line(name, content) for name in names[:1]]
        spare = len(lines[0]) - len(names[0].encode())
        length = sum(spare + len(name.encode()) for name in names)

        async def pieces() -> AsyncIterator[bytes]:
            for name in names:
                yield _line(name, content)

        return StreamingResponse(pieces(), headers={"content-length": str(length)})

    app = Starlette(
        routes=[
            Route("/v1/files", upload, methods=["POST"]),
            Route("/v1/files/{name}/content", results),
            Route("/v1/batches", create, methods=["POST"]),
            Route("/v1/batches/{name}", retrieve),
        ]
    )
    sock = listen(EmulatorSettings(state_file="unused"))
    print(base_url(sock), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run([sock])


def _line(name: str, content: str) -> bytes:
    body = {"created": 1_800_000_000, "data": [{"b64_json": content}], "usage": _USAGE}
    response = {"status_code": 200, "request_id": "req_1", "body": body}
    return json.dumps({"id": "batch_req_1", "custom_id": name, "response": response, "error": None}).encode() + b"\n"


if __name__ == "__main__":
    main(float(sys.argv[1]))
