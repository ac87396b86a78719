"""What start-up costs beside `import openai`: help, completion, the config shown, a mistake in it, the first byte sent.

    python tests/benchmarks/startup.py [--repeats 45]

Everything runs in turn, so that whatever else the machine does meets all alike. Bytecode is cached for all, as pip
leaves it, and each is run once before it counts.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

from measurement import REPO, CommandError, Figures, processors, stolen
from table import goal, heading, print_stolen, ratio, spread

_TYPED = "runner -m model=sora-2-pro request.dur"
"""What stands before TAB."""
FLOOR = "import openai"
RUNNER = ("-m", "runner")
COMMANDS = {
    FLOOR: ("-c", "import openai"),
    "--help": (*RUNNER, "--help"),
    "completion": (*RUNNER, "-sc", "query=bash"),
    "--cfg job": (*RUNNER, "--cfg", "job"),
    "config error": (*RUNNER, "request.duration_secondz=4"),
    "first byte": (*RUNNER, "provider=openai", "provider.retired_models=warn", "yes=true", "progress=off"),
}
GOALS = {"--help": 0.45, "completion": 0.45, "--cfg job": 0.7, "config error": 1.1, "first byte": 2.2}


def main() -> None:
    """Measure all in turn and print what each takes beside the floor."""
    options = _arguments()
    heading("start-up")
    found: dict[str, list[Figures]] = {name: [] for name in COMMANDS}
    listener = Listener()
    with tempfile.TemporaryDirectory() as directory:
        environment = _environment(f"{directory}/bytecode")
        for turn in range(-1, options.repeats):
            for name, figures in found.items():
                measured = _measure(name, listener, environment, directory)
                if turn >= 0:
                    figures.append(measured)
    _report(found)


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Each takes less than a second, in which a busy host can give half of it to others: as many as make up for that.
    repeats = 9 * int(os.environ.get("BENCH_REPEATS", "5"))
    parser.add_argument("--repeats", type=int, default=repeats)
    return parser.parse_args()


def _measure(name: str, listener: Listener, environment: dict[str, str], directory: str) -> Figures:
    """One process to its end; of the first byte, wall time until it arrives, and CPU of the whole process."""
    command = [sys.executable, *COMMANDS[name]]
    if name == "first byte":
        command += [f"provider.base_url={listener.url}", "provider.allow_http=true"]
    listener.heard = 0.0
    times, began = processors(), time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=directory
    )
    _, status, used = os.wait4(process.pid, 0)
    ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = {"config error": 2, "first byte": 1}.get(name, 0)
    if process.returncode != expected or (name == "first byte") != bool(listener.heard):
        raise CommandError(f"{name} ended with {process.returncode}, not {expected}: run it by hand")
    wall = (listener.heard or ended) - began
    return Figures(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, stolen=stolen(times))


def _environment(cache: str) -> dict[str, str]:
    """Without what would keep bytecode from being cached, and with a key that opens nothing."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "PYTHONPATH": str(REPO),
        "PYTHONPYCACHEPREFIX": cache,
        "OPENAI_API_KEY": "throw-away",
        "COMP_LINE": _TYPED,
    }


def _report(found: dict[str, list[Figures]]) -> None:
    print(f"{'':16}{'wall s':>22}{'CPU s':>22}{'n':>4}")
    for name, figures in found.items():
        cells = (spread(_column(figures, key), digits=3) for key in ("wall", "cpu"))
        print(f"{name:16}" + "".join(f"{cell:>22}" for cell in cells) + f"{len(figures):>4}")
    print_stolen([each for figures in found.values() for each in figures])
    for name, most in GOALS.items():
        goal(f"wall of {name} / {FLOOR}", ratio(_column(found[name], "wall"), _column(found[FLOOR], "wall")), most)


def _column(figures: Sequence[Figures], key: str) -> list[float]:
    return [getattr(each, key) for each in figures]


if __name__ == "__main__":
    main()
