from __future__ import annotations

import subprocess
import sys

import runner.providers


def test_importing_and_checking_does_not_pay_for_the_sdk():
    code = (
        "import sys; from runner.providers import check_body, check_endpoint, create; from runner.config import *;"
        "check_endpoint(OpenAIConfig(kind='openai'), {});"
        "print([name for name in ('openai', 'httpx2', 'runner.emulator') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_starts_the_emulator_does_not_wait_for_the_sdk():
    code = (
        "import sys; from runner.config import EmulatorConfig; from runner.providers import create, emulator_process\n"
        "def start(config):\n"
        "    sys.exit(print([name for name in ('openai', 'httpx2') if name in sys.modules]))\n"
        "emulator_process.start = start\n"
        "create(EmulatorConfig(kind='emulator'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_complete_and_sorted():
    assert sorted(runner.providers.__all__) == runner.providers.__all__
    assert all(hasattr(runner.providers, name) for name in runner.providers.__all__)
