"""Serve video jobs at the least cost there is, so that clients are measured and not their server.

    python tests/benchmarks/light_server.py [--latency 3] [--video-bytes 2000000] [--rate 20000000] [--jobs 20]

It prints its base URL and serves until it is ended. It is asyncio alone and shares no code with runner: answers are
templates, in which a job's id, state and times are put, and the file of every job is one clip, sent by the kernel.
Jobs begin when they are created and take the latency; none fails, and nothing is forgotten before the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs

from clip import HEIGHT, WIDTH, write_clip

PROMPT = "A timelapse of a city skyline from dawn to dusk"
_KEPT_SECONDS = 86_400
_PAGE, _LARGEST_PAGE = 20, 100
_FULL = '{"error": {"message": "Too many jobs are running.", "code": "too_many_running_tasks"}}'


class Jobs:
    """Hold when each job was created, in the order of their creation, and say how far it is."""

    def __init__(self, latency: float, seconds: int, most: int | None = None) -> None:
        """Take the `latency` of a job and the length of its clip, both in seconds; `most` jobs are made at a time."""
        self.latency = latency
        self._most = most
        self._created: list[float] = []
        job = {
            "object": "video",
            "model": "sora-2",
            "prompt": PROMPT,
            "size": f"{WIDTH}x{HEIGHT}",
            "seconds": str(seconds),
            "remixed_from_video_id": None,
            "error": None,
        }
        self._rest = json.dumps(job)[1:]

    def create(self) -> str | None:
        """Begin a job and return it as JSON; None where as many are under way as there may be."""
        count = len(self._created)
        if self._most is not None and count >= self._most and not self.completed(count - self._most):
            return None
        self._created.append(time.time())
        return self.told(len(self._created) - 1)

    def number(self, job_id: str) -> int | None:
        """Return the job's number, or None where there is no such job."""
        digits = job_id.removeprefix("video_")
        known = digits.isdecimal() and int(digits) < len(self._created)
        return int(digits) if known else None

    def completed(self, number: int) -> bool:
        """Return whether a job has ended."""
        return time.time() - self._created[number] >= self.latency

    def told(self, number: int) -> str:
        """Return a job as JSON."""
        created, now = self._created[number], time.time()
        left = created + self.latency - now
        if left <= 0:
            state, end = "completed", f"{created + self.latency:.0f}"
            progress, expires = 100, f"{created + _KEPT_SECONDS:.0f}"
        else:
            state, end, expires = "in_progress", "null", "null"
            progress = int(100 * (1 - left / self.latency))
        return (
            f'{{"id": "video_{number:08}", "status": "{state}", "progress": {progress}, "created_at": {created:.0f}, '
            f'"completed_at": {end}, "expires_at": {expires}, {self._rest}'
        )

    def page(self, after: int | None, limit: int) -> str:
        """Return a page of the list, newest first, as JSON."""
        newest = (len(self._created) if after is None else after) - 1
        numbers = range(newest, max(-1, newest - limit), -1)
        ids = [f'"video_{number:08}"' for number in (*numbers[:1], *numbers[-1:])] or ["null", "null"]
        data = ", ".join(map(self.told, numbers))
        more = "true" if numbers and numbers[-1] > 0 else "false"
        return f'{{"object": "list", "data": [{data}], "first_id": {ids[0]}, "last_id": {ids[1]}, "has_more": {more}}}'


class Connection(asyncio.Protocol):
    """Answer the requests of one connection, one after the other."""

    requests = 0
    """Of all connections together."""

    def __init__(self, jobs: Jobs, clip: BinaryIO, rate: Rate | None = None) -> None:
        self._jobs = jobs
        self._clip = clip
        self._rate = rate
        self._received = bytearray()
        self._transport: asyncio.Transport
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._sending is None and (request := self._next()) is not None:
            self._answer(*request)

    def _next(self) -> tuple[str, str] | None:
        """Take the next whole request off what has come: its method and target."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *fields = bytes(self._received[:end]).decode("latin-1").split("\r\n")
        length = next((int(field[15:]) for field in fields if field[:15].lower() == "content-length:"), 0)
        if len(self._received) < end + 4 + length:
            return None
        del self._received[: end + 4 + length]
        method, target, _ = first.split(" ")
        return method, target

    def _answer(self, method: str, target: str) -> None:
        path, _, query = target.partition("?")
        if path == "/requests":  # for the benchmark, not counted
            self._send(str(Connection.requests))
            return
        Connection.requests += 1
        if path == "/v1/videos":
            told = self._jobs.create() if method == "POST" else self._page(query)
            if told is None:
                self._send(_FULL, "429 Too Many Requests")
            else:
                self._send(told)
            return
        name, _, part = path.removeprefix("/v1/videos/").partition("/")
        number = self._jobs.number(name)
        if method != "GET" or number is None or part not in ("", "content"):
            self._send('{"error": {"message": "There is nothing here."}}', "404 Not Found")
        elif not part:
            self._send(self._jobs.told(number))
        elif not self._jobs.completed(number):
            self._send('{"error": {"message": "The video is not ready."}}', "404 Not Found")
        else:
            self._sending = asyncio.ensure_future(self._send_clip())

    def _page(self, query: str) -> str:
        asked = parse_qs(query)
        limit = min(_LARGEST_PAGE, int(asked.get("limit", [_PAGE])[0]))
        return self._jobs.page(self._jobs.number(asked.get("after", [""])[0]), limit)

    def _send(self, body: str, status: str = "200 OK") -> None:
        content = body.encode()
        self._transport.write(_head(status, "application/json", len(content)) + content)

    async def _send_clip(self) -> None:
        self._transport.write(_head("200 OK", "video/mp4", os.fstat(self._clip.fileno()).st_size))
        try:
            if self._rate is None:
                await asyncio.get_running_loop().sendfile(self._transport, self._clip)
            else:
                await self._rate.send(self._transport, self._clip)
        except ConnectionError:  # its client is gone
            self._transport.close()
        self._sending = None
        self.data_received(b"")


class Rate:
    """Send files to each process of this machine at no more than so many bytes a second, over all its connections."""

    _PIECE = 200_000

    def __init__(self, bytes_per_second: float) -> None:
        self._seconds = self._PIECE / bytes_per_second
        self._next: dict[int | None, float] = {}

    async def send(self, transport: asyncio.Transport, file: BinaryIO) -> None:
        """Send a file, piece by piece."""
        whose = self._process(transport.get_extra_info("peername")[1])
        for place in range(0, os.fstat(file.fileno()).st_size, self._PIECE):
            now = time.monotonic()
            due = self._next[whose] = max(now, self._next.get(whose, 0.0)) + self._seconds
            await asyncio.sleep(due - now)
            if transport.is_closing():
                raise ConnectionError
            transport.write(os.pread(file.fileno(), self._PIECE, place))

    @staticmethod
    def _process(port: int) -> int | None:
        import psutil  # only here: where the network is not the limit, nothing but the standard library is needed

        found = psutil.net_connections("tcp4")
        return next((each.pid for each in found if each.laddr.port == port and each.pid is not None), None)


def _head(status: str, media_type: str, length: int) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n".encode()


async def serve(jobs: Jobs, clip: BinaryIO, rate: Rate | None = None) -> None:
    """Listen at a free port of this machine, print the base URL, and serve until the task is cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(jobs, clip, rate), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    """Render the clip and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=3.0, help="seconds a video takes")
    parser.add_argument("--video-bytes", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=int, default=8, help="length of the clip")
    parser.add_argument("--rate", type=float, help="bytes a second of files that each client process gets")
    parser.add_argument("--jobs", type=int, help="videos that are made at the same time; more are refused with 429")
    options = parser.parse_args()
    rate = None if options.rate is None else Rate(options.rate)
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path, options.seconds, options.video_bytes)
        clip = path.open("rb")  # it stays while it is open, however this process ends
    with clip:
        asyncio.run(serve(Jobs(options.latency, options.seconds, options.jobs), clip, rate))


if __name__ == "__main__":
    main()
