"""The emulator serves this machine and nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from runner.emulator.server import listen
from runner.emulator.settings import EmulatorSettings

OTHERS = ["0.0.0.0", "", "::", "::1", "localhost", "127.0.0.2", "10.0.0.1", "127.0.0.1.evil.example"]


@pytest.mark.parametrize("host", OTHERS)
def test_no_setting_opens_it_to_others(tmp_path, host):
    with pytest.raises(ValidationError, match=r"127\.0\.0\.1"):
        EmulatorSettings(state_file=tmp_path / "state", host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_settings_that_went_past_the_check_open_nothing_either(tmp_path, host):
    settings = EmulatorSettings(state_file=tmp_path / "state").model_copy(update={"host": host})
    sock = listen(settings)
    try:
        assert sock.getsockname()[0] == "127.0.0.1"
    finally:
        sock.close()


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--host=::"], ["--host", "localhost"], ["--bind", "x"]])
def test_the_command_refuses_before_anything_listens(tmp_path, arguments):
    command = [sys.executable, "-m", "runner", "emulator", "--port", "0", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("override", ["+provider.host=0.0.0.0", "+provider.bind=0.0.0.0"])
def test_no_override_reaches_its_address(refused, override):
    (problem,) = refused(override)
    assert problem.key == override.lstrip("+").partition("=")[0]
