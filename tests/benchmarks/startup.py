"""What start-up costs beside `import openai`: help, the config shown, a mistake in it, and the first byte to a server.

    python tests/benchmarks/startup.py [--rounds 15] [--json]

Everything runs in turn, so that whatever else the machine does meets all alike; medians of what `wait4` and the clock
say of whole processes. Bytecode is cached for all, as pip leaves it, and each is run once before it counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOOR = "import openai"
RUNNER = ("-m", "runner")
COMMANDS = {
    FLOOR: ("-c", "import openai"),
    "--help": (*RUNNER, "--help"),
    "--cfg job": (*RUNNER, "--cfg", "job"),
    "config error": (*RUNNER, "request.duration_secondz=4"),
    "first byte": (*RUNNER, "provider=openai", "provider.retired_models=warn", "yes=true", "progress=off"),
}
GOALS = {"--help": 0.7, "--cfg job": 0.7, "config error": 0.7, "first byte": 1.4}


@dataclass
class Figures:
    """Seconds of each round: of the clock, and of the processor for the process and what it started."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def summary(self, floor: Figures) -> dict[str, float]:
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return {
            "wall_s": wall,
            "wall_ratio": wall / statistics.median(floor.wall),
            "cpu_s": cpu,
            "cpu_ratio": cpu / statistics.median(floor.cpu),
            "wall_spread": (max(self.wall) - min(self.wall)) / wall,
        }


class Listener:
    """A server that notes when a client sends its first byte, and then closes: the run fails, and is over."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.heard = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if connection.recv(1):
                    self.heard = self.heard or time.perf_counter()
                    connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass


def measured(name: str, listener: Listener, environment: dict[str, str], directory: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process; of the first byte, until it arrives, and CPU of the whole process."""
    arguments = [*COMMANDS[name], *([f"provider.base_url={listener.url}", "provider.allow_http=true"]
                                    if name == "first byte" else [])]  # fmt: skip
    listener.heard = 0.0
    with Path(os.devnull).open("wb") as nowhere:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=nowhere, stderr=nowhere, env=environment, cwd=directory
        )
        _, status, used = os.wait4(process.pid, 0)
        ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = {"config error": 2, "first byte": 1}.get(name, 0)
    if process.returncode != expected or (name == "first byte") != bool(listener.heard):
        raise SystemExit(f"{name} ended with {process.returncode}, not {expected}: run it by hand")
    return (listener.heard or ended) - began, used.ru_utime + used.ru_stime


def environment(cache: str) -> dict[str, str]:
    """Without what would keep bytecode from being cached, and with a key that opens nothing."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": cache, "OPENAI_API_KEY": "throw-away"}


def alternated(rounds: int) -> dict[str, Figures]:
    figures = {name: Figures() for name in COMMANDS}
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        own = environment(str(Path(directory, "bytecode")))
        for number in range(-1, rounds):
            for name, found in figures.items():
                wall, cpu = measured(name, listener, own, directory)
                if number >= 0:
                    found.wall.append(wall)
                    found.cpu.append(cpu)
    return figures


def report(figures: dict[str, Figures], rounds: int) -> None:
    print(
        f"start-up: medians of {rounds} alternating rounds; {platform.platform()}, Python {platform.python_version()}"
    )
    print(f"{'':14}  wall s  ratio   CPU s  ratio  spread  goal")
    for name, found in figures.items():
        row = found.summary(figures[FLOOR])
        goal = f"<= {GOALS[name]}" if name in GOALS else ""
        print(f"{name:14}  {row['wall_s']:6.3f}  {row['wall_ratio']:5.2f}  {row['cpu_s']:6.3f}  {row['cpu_ratio']:5.2f}"
              f"  {row['wall_spread']:5.0%}  {goal}")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=max(7, int(os.environ.get("BENCH_REPEATS", "15"))))
    parser.add_argument("--json", action="store_true", help="one object with the figures, for a program")
    chosen = parser.parse_args(arguments)
    figures = alternated(chosen.rounds)
    if chosen.json:
        print(json.dumps({name: found.summary(figures[FLOOR]) for name, found in figures.items()}))
    else:
        report(figures, chosen.rounds)


if __name__ == "__main__":
    main()
