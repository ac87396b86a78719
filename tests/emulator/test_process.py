from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runner.emulator.process import EmulatorProcess, EmulatorStartError
from runner.emulator.settings import EmulatorSettings
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.usefixtures("real_children")

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from runner.app import run; sys.exit(run(['emulator', *sys.argv[1:]]))"
PARENT = """
import sys, time
from pathlib import Path
from runner.emulator.process import EmulatorProcess
from runner.emulator.settings import EmulatorSettings
emulator = EmulatorProcess(EmulatorSettings(state_file=Path(sys.argv[1]))).start()
print(emulator.wait_ready(), emulator.pid, flush=True)
time.sleep(60)
"""


def spawn(code: str, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


def test_it_answers_before_the_codecs_are_loaded():
    found = spawn("import sys, runner.emulator.app; print('av' in sys.modules)")
    assert found.communicate(timeout=PATIENCE) == ("False\n", "")


@pytest.fixture
def settings(tmp_path) -> EmulatorSettings:
    return EmulatorSettings(state_file=tmp_path / "state.sqlite3", latency=0)


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_starts_at_once_and_is_ready_later(settings, connect):
    emulator = EmulatorProcess(settings)
    emulator.start()
    try:
        assert connect(emulator.wait_ready()).videos.list().data == []
        assert emulator.ledger()["jobs"] == 0
        pid = emulator.pid
    finally:
        emulator.stop()
    wait_until(lambda: ended(pid))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent(tmp_path, number):
    with spawn(PARENT, str(tmp_path / "state")) as parent:
        _, pid = parent.stdout.readline().split()
        assert psutil.pid_exists(int(pid))
        parent.send_signal(number)
    wait_until(lambda: ended(int(pid)))


def test_ctrl_c_on_the_terminal_does_not_reach_it(settings):
    with EmulatorProcess(settings) as emulator:
        assert os.getsid(emulator.pid) != os.getsid(0)


def test_a_child_that_cannot_start_says_why(settings, tmp_path):
    broken = settings.model_copy(update={"faults": tmp_path / "missing.yaml"})
    with pytest.raises(EmulatorStartError, match=r"missing\.yaml"), EmulatorProcess(broken):
        pass


def test_a_state_file_that_is_none_is_named(settings, tmp_path):
    directory = settings.model_copy(update={"state_file": tmp_path})
    with pytest.raises(EmulatorStartError, match="state file"), EmulatorProcess(directory):
        pass


def test_a_child_that_ends_at_once_is_said_to_have_ended(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    with pytest.raises(EmulatorStartError, match="before it listened"), EmulatorProcess(settings):
        pass


def test_a_child_that_ended_before_it_was_told_anything_can_be_stopped(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    emulator = EmulatorProcess(settings).start()
    child = emulator._child
    child.wait()
    child.stdin.write(b"more")  # as if the settings had come too late
    emulator.stop()
    assert child.stdin.closed
    assert child.stdout.closed


def test_the_parent_imports_nothing_heavy():
    heavy = "('starlette', 'uvicorn', 'av', 'PIL', 'openai')"
    code = f"import sys, runner.emulator.process; print([name for name in {heavy} if name in sys.modules])"
    with spawn(code) as child:
        assert child.communicate()[0].strip() == "[]"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_serves_until_it_is_interrupted(tmp_path, number, code):
    with spawn(COMMAND, "--port", "0", "--state", str(tmp_path / "state")) as command:
        lines = [command.stdout.readline() for _ in range(7)]
        assert "export OPENAI_BASE_URL=http://127.0.0.1:" in "".join(lines)
        command.send_signal(number)
        _, errors = command.communicate()
    assert (abs(command.returncode), errors) in ((code, ""), (number, ""))


def refused(*arguments: str, **environment: str) -> str:
    with spawn(COMMAND, *arguments) as command:
        output, errors = command.communicate()
    assert (command.returncode, output) == (2, "")
    return errors


def test_a_port_in_use_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        errors = refused("--port", str(port), "--state", str(tmp_path / "state"))
    assert errors.splitlines() == [
        f"runner emulator: port {port} is in use; choose another with --port, or 0 for any free one"
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "127.0.0.1"),
        (["--latency", "-1"], "--latency"),
        (["--max-running-jobs", "0"], "--max-running-jobs"),
        (["--requests-per-minute", "0"], "--requests-per-minute"),
        (["--faults", "missing.yaml"], "missing.yaml"),
        (["--api-key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE is empty"),
    ],
)
def test_what_the_command_refuses(tmp_path, arguments, reason):
    assert reason in refused("--port", "0", "--state", str(tmp_path / "state"), *arguments)
