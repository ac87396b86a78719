"""Processes forked from one that has imported what ours need: `Forked` asks for them, this program makes them.

Starting an interpreter and importing Hydra and the SDK takes a second of CPU, forking a process hundredths of one. The
children that a forked process starts (decoder, emulator) are forked from the same one.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parents[1]
CLIPS = "RENDERED_CLIPS"
"""Names the variable with the folder in which forked emulators share what they render, once per size and duration."""
LISTENING = "FORKING_AT"
"""Names the variable with the address of a server that is there already."""
STREAMS = 3
_MOST_BYTES = 1 << 20


class Forked:
    """A process that executes a module as `python -m` does; has what is needed of `subprocess.Popen`."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.DEVNULL,
        text: bool = False,
        strict: bool = False,
    ) -> None:
        self.args = [module, *arguments]
        self.returncode: int | None = None
        self._waiting = threading.Lock()  # as of `Popen`, several threads may wait for its end
        self.stdin: IO[Any] | None = None
        self.stdout: IO[Any] | None = None
        task = {"module": module, "arguments": list(arguments), "env": dict(env), "strict": strict}
        task["clips"] = os.environ.get(CLIPS)
        given: list[int] = []
        try:
            given += [self._stdin(stdin, text=text), self._stdout(stdout, text=text)]
            given.append(os.dup(given[1]) if stderr == subprocess.STDOUT else _opened(stderr))
            self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._server.connect(address())
            sent = json.dumps({**task, "cwd": str(cwd or Path.cwd())}).encode()
            socket.send_fds(self._server, [sent], given)
        finally:
            for descriptor in given:
                os.close(descriptor)
        self.pid = int(self._server.recv(100))

    def _stdin(self, wanted: int, *, text: bool) -> int:
        if wanted != subprocess.PIPE:
            return _opened(wanted)
        read, write = os.pipe()
        self.stdin = os.fdopen(write, "w" if text else "wb")
        return read

    def _stdout(self, wanted: int | IO[Any], *, text: bool) -> int:
        if wanted != subprocess.PIPE:
            return _opened(wanted)
        read, write = os.pipe()
        self.stdout = os.fdopen(read, "r" if text else "rb", **({"encoding": "utf-8"} if text else {}))
        return write

    def poll(self) -> int | None:
        """Return how it ended, None if it has not."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; raises `subprocess.TimeoutExpired`."""
        if not self._waiting.acquire(timeout=-1 if timeout is None else timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        try:
            if self.returncode is None:
                if not select.select([self._server], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                self.returncode = int(self._server.recv(100))
                self._server.close()
            return self.returncode
        finally:
            self._waiting.release()

    def communicate(self, timeout: float | None = None) -> tuple[Any, None]:
        """Return what it printed until it ended; raises `subprocess.TimeoutExpired`."""
        said: list[Any] = []
        if self.stdin is not None:
            self.stdin.close()
        assert self.stdout is not None
        reading = threading.Thread(target=lambda stream: said.append(stream.read()), args=(self.stdout,), daemon=True)
        reading.start()
        reading.join(timeout)
        if reading.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.stdout.close()
        self.wait(timeout)
        return said[0], None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdin, self.stdout):
            if stream is not None:
                stream.close()
        self.wait()


def start_child(
    module: str,
    *arguments: str,
    trusted: bool = True,
    variables: Mapping[str, str] | None = None,
) -> Forked:
    """Stand in for `runner.child.start`."""
    del trusted
    return Forked(module, arguments, env={**os.environ, **(variables or {})}, stdin=subprocess.PIPE)


def _opened(stream: int | IO[Any]) -> int:
    if stream == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_RDWR)
    return os.dup(stream if isinstance(stream, int) else stream.fileno())


@functools.cache
def address() -> str:
    """Start the server, for this process and those that it starts, and return where it listens, or soon will."""
    if LISTENING in os.environ:
        return os.environ[LISTENING]
    place = tempfile.TemporaryDirectory(prefix="forking-")
    at = f"{place.name}/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(at)
        listener.listen(64)
        command = [sys.executable, "-m", "tests.forking", at, str(listener.fileno())]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])

    def stop(owner: int = os.getpid()) -> None:
        if os.getpid() == owner:
            with server, place:
                pass

    atexit.register(stop)
    return at


class Server:
    """Forks a process for each connection, and tells it the process's id and, later, how it ended."""

    def __init__(self, listener: int) -> None:
        self._listener = socket.socket(fileno=listener)
        self._asking: dict[int, socket.socket] = {}
        self._children, woken = os.pipe()
        for end in (self._children, woken):
            os.set_blocking(end, False)
        self._woken = woken
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken)

    def serve(self) -> None:
        """Fork until standard input ends."""
        while True:
            ready, _, _ = select.select([0, self._listener, self._children], [], [])
            if self._children in ready:
                os.read(self._children, 1000)
                self._tell()
            if self._listener in ready:
                self._fork()
            if 0 in ready:
                return

    def _tell(self) -> None:
        while self._asking:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._asking.pop(pid) as asking, suppress(OSError):
                asking.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _fork(self) -> None:
        asking, _ = self._listener.accept()
        sent, descriptors, _, _ = socket.recv_fds(asking, _MOST_BYTES, STREAMS)
        if not sent:  # who asked was killed before it could say for what
            asking.close()
            return
        pid = os.fork()
        if pid == 0:
            self._leave(asking)
            _become(json.loads(sent), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._asking[pid] = asking
        with suppress(OSError):  # who asked may have been killed meanwhile
            asking.send(str(pid).encode())

    def _leave(self, asking: socket.socket) -> None:
        """Close, in the child, what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (self._listener, asking, *self._asking.values()):
            other.close()
        os.close(self._children)
        os.close(self._woken)


def _become(task: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Be the process that was asked for, and end as an interpreter does."""
    code = 1
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # it is this session's, which hears its Ctrl-C and its end
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.chdir(task["cwd"])
        os.environ.clear()
        os.environ.update(task["env"])
        if task["clips"]:
            _share_clips(task["clips"])
        encoding = task["env"].get("PYTHONIOENCODING", "utf-8")
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding=encoding, closefd=False)  # noqa: SIM115 - the process's own streams
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
        warnings.resetwarnings()
        if task["strict"]:
            warnings.simplefilter("error")
        sys.argv = [task["module"], *task["arguments"]]
        runpy.run_module(task["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter does
        sys.excepthook(*sys.exc_info())
    finally:
        _end(code)


def _share_clips(folder: str) -> None:
    """Let the emulators of this process, and of those that it has forked, render each size and duration once."""
    from runner.emulator.settings import EmulatorSettings

    os.environ.setdefault(CLIPS, folder)
    EmulatorSettings.media = property(lambda settings: settings.media_dir or Path(folder))
    EmulatorSettings.shared_clips = property(lambda _: True)


def _end(code: int) -> None:
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def use(at: str) -> None:
    """Let this process, and what it forks, have its children forked by the server that listens `at`."""
    import tests.forking as importable  # beside `__main__`, which this may be
    from runner.artifacts import decoder
    from runner.emulator import process
    from runner.metrics import measurer
    from runner.model_judge import pictures

    importable.address = lambda: at
    decoder.start = process.start = measurer.start = pictures.start = importable.start_child


IMAGE = ("model=gpt-image-2", "request=image")
SETTINGS = (
    "provider.base_url=http://127.0.0.1:1/v1", "provider.retired_models=off", "provider.poll_interval=0.02",
    "provider.max_poll_attempts=2000", "hydra.run.dir=run", "hydra.sweep.dir=sweep",
)  # fmt: skip
"""What most commands set: Hydra's parser is slow for what is of a form that it has not met."""
USUAL = [
    (), ("request=draft",), ("provider=openai",), ("provider=azure_openai",),
    ("provider=openai", "request=draft", *SETTINGS),
    ("request=draft", "provider=openai"), IMAGE, ("provider=openai", *IMAGE), (*IMAGE, "provider=openai"),
]  # fmt: skip
"""What most commands choose."""


def compose(choices: Sequence[Sequence[str]]) -> None:
    """Have Hydra find its plugins, and compose each of the choices: that is kept, and the forked have it."""
    from runner.app import run

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for options in choices:
            run([*options, "dry_run=true"])


def main(at: str, listener: str) -> None:
    """Serve at a Unix socket, whose descriptor is `listener`, until standard input ends."""
    server = Server(int(listener))
    import gc

    import tests.preloaded  # noqa: F401 - what the forked have without importing it

    compose(USUAL)
    use(at)
    gc.collect()
    gc.freeze()
    server.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
