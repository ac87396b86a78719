"""What uploading adds to a sweep: the same videos with and without `storage.url`, in turn, against one server.

    python tests/benchmarks/upload.py [--count 100] [--latency 15] [--jobs 20] [--video-bytes 2000000] [--repeats 3]

The storage is moto's S3 server, a process of its own on the same processors: what it takes of them counts against the
sweep. Measured in an environment of its own: the packages of the extra `s3` would slow the start that others measure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from measurement import REPO, CommandError, Figures, empty, measure
from peer import Peer, UnavailableError
from service import Service, serving
from table import goal, heading, print_figures, ratio

_PACKAGES = ("s3fs", "moto", "flask_cors")
_SERVER = REPO / "tests" / "storage" / "s3_server.py"
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261201/us-east-1/s3/aws4_request"}
WITHOUT, WITH = "runner -m", "runner -m, storage.url=s3://…"


def main() -> int:
    """Measure here where the packages are, else in the other environment; 1 where they cannot be had."""
    options = _arguments()
    if all(find_spec(package) for package in _PACKAGES):
        _measure(options)
        return 0
    try:
        python = Peer("runner-storage", (f"{REPO}[s3]", "moto[s3]>=5.1", "flask>=3", "flask-cors>=5")).python()
    except UnavailableError as error:
        print(f"upload: {error}", file=sys.stderr)
        return 1
    return subprocess.run([python, __file__, *sys.argv[1:]], check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="videos")
    parser.add_argument("--latency", type=float, default=15.0, help="seconds a video takes")
    parser.add_argument("--jobs", type=int, default=20, help="videos that are made at the same time")
    parser.add_argument("--video-bytes", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=min(3, int(os.environ.get("BENCH_REPEATS", "3"))))
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    each = f"{options.video_bytes / 1e6:g} MB and {options.latency:g} s each"
    heading(f"{options.count} videos, {options.jobs} at a time, {each}")
    found: dict[str, list[Figures]] = {WITHOUT: [], WITH: []}
    with serving(latency=options.latency, video_bytes=options.video_bytes) as service, _storage() as server:
        for turn in range(options.repeats):
            for name, figures in found.items():
                directory, bucket = service.place / f"{turn}-{len(name)}", f"bench-{turn}"
                storage = [f"storage.url=s3://{bucket}/videos"] if name == WITH else []
                _ask(server, "PUT", f"/{bucket}")
                figures.append(measure(_command(service, options, directory, storage), service.requests))
                if storage:
                    _check(server, bucket, options.count)
                empty(directory)
                print(f"  {turn + 1}. {name}: {figures[-1].wall:.1f} s", file=sys.stderr, flush=True)
    print_figures(found)
    walls = {name: [each.wall for each in figures] for name, figures in found.items()}
    goal("wall time with the upload, of what it is without", ratio(walls[WITH], walls[WITHOUT]), 1.10, " ×")


def _command(service: Service, options: argparse.Namespace, directory: Path, more: list[str]) -> list[str | Path]:
    return [
        *(sys.executable, "-m", "runner", "-m", "provider=openai", f"provider.base_url={service.base_url}"),
        *("provider.retired_models=off", "provider.poll_interval=1", f"provider.max_concurrent_jobs={options.jobs}"),
        *("budget.confirm_above_usd=null", f"replica=range({options.count})", f"hydra.sweep.dir={directory}", *more),
    ]


@contextmanager
def _storage() -> Iterator[str]:
    """Serve S3, and lead the measured commands there."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, _SERVER], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        address = server.stdout.readline().strip()
        os.environ |= {"AWS_ENDPOINT_URL_S3": address, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        try:
            yield address
        finally:
            server.stdin.close()


def _ask(server: str, method: str, path: str) -> str:
    connection = HTTPConnection(urlsplit(server).netloc)
    try:
        connection.request(method, path, headers=_SIGNED)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _check(server: str, bucket: str, count: int) -> None:
    """Raise `CommandError` unless the storage has every video."""
    there, start = 0, ""
    while True:
        keys = _ask(server, "GET", f"/{bucket}?list-type=2&start-after={start}").split("<Key>")[1:]
        if not keys:
            break
        names = [each.partition("</Key>")[0] for each in keys]
        there += sum(name.endswith("/video.mp4") for name in names)
        start = names[-1]
    if there != count:
        raise CommandError(f"{there} of {count} videos were uploaded")


if __name__ == "__main__":
    sys.exit(main())
