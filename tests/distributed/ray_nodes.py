"""A Ray cluster of several nodes on this machine, an emulator, and the command line against both.

All of it lives in a network namespace of its own that has nothing but loopback: `inside` starts a program there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-canary-5b1d8e20c7"
STARTS_WITHIN_S = 90
"""How long Ray waits for a node; a busy machine takes its time."""
STARTS = 4
"""How often a cluster is started: on a busy machine Ray's own processes sometimes miss each other."""
RAYS_OWN = frozenset({"gcs_server", "raylet"})


def why_not() -> str | None:
    """Why there can be no cluster here."""
    if find_spec("ray") is None:
        return "ray is not installed here"
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "there is no unshare or no ip, to keep the cluster on loopback"
    tried = subprocess.run(_namespace("true"), capture_output=True, text=True, check=False)
    return f"no network namespace can be made here: {tried.stderr.strip()}" if tried.returncode else None


def _namespace(*command: str) -> list[str]:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    # Who ends this program ends all that it has started, wherever that has gone.
    return ["unshare", *own, "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
            'ip link set lo up && exec "$0" "$@"', *command]  # fmt: skip


def inside(
    program: Path, *arguments: str, timeout: float | None = None, captured: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run one of our programs in a namespace of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "OPENAI_API_KEY": KEY}
    environment["RAY_raylet_start_wait_time_s"] = str(STARTS_WITHIN_S)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as place:  # its sockets want a short path
        return subprocess.run(
            _namespace(sys.executable, str(program), *arguments),
            env={**environment, "RAY_TMPDIR": place, "HOME": place},
            capture_output=captured,
            text=True,
            timeout=timeout,
            check=False,
        )


class Nodes:
    """A cluster's nodes."""

    def __init__(self, count: int) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self.more = [self._cluster.add_node(num_cpus=1) for _ in range(count - 1)]
        self._cluster.wait_for_nodes()
        self.address = str(self._cluster.address)

    def add(self) -> None:
        """Add a node, in place of one that died."""
        self.more.append(self._cluster.add_node(num_cpus=1))

    def close(self) -> None:
        with suppress(Exception):  # some of its processes were killed
            self._cluster.shutdown()


def start(count: int) -> Nodes:
    """Start so many nodes, anew where Ray gives up."""
    for left in reversed(range(STARTS)):
        try:
            return Nodes(count)
        except Exception as error:
            sys.stderr.write(f"a cluster did not start: {error}\n")
            if left == 0:
                raise
            for process in psutil.Process().children(recursive=True):
                if process.name() in RAYS_OWN:
                    kill(process)
            time.sleep(5)
    raise AssertionError


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """Start so many nodes, and end them."""
    found = start(count)
    try:
        yield found
    finally:
        found.close()


def processes(title: str) -> list[psutil.Process]:
    """The processes whose title or command begins like this: Ray names its actors."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if command.startswith(title):
                found.append(process)
    return found


def command(arguments: Sequence[str], place: Path, address: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command line in `place`, connected to the cluster."""
    return subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        cwd=place,
        env={**os.environ, "RAY_ADDRESS": address},
        stdin=subprocess.DEVNULL,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def kill(process: psutil.Process) -> None:
    """End a process as the system does that has no memory left."""
    with suppress(psutil.Error):
        process.send_signal(signal.SIGKILL)
