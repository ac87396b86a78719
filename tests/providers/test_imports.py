from __future__ import annotations

import subprocess
import sys


def test_importing_and_checking_does_not_pay_for_the_sdk():
    code = (
        "import sys; from runner.providers import body, preflight, registry;"
        "from runner.config.provider import OpenAIConfig;"
        "preflight.check_endpoint(OpenAIConfig(kind='openai'), {});"
        "print([name for name in ('openai', 'httpx2', 'runner.emulator') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_starts_the_emulator_does_not_wait_for_the_sdk():
    code = (
        "import sys; from runner.config.provider import EmulatorConfig\n"
        "from runner.providers import emulator_process, registry\n"
        "def start(config):\n"
        "    sys.exit(print([name for name in ('openai', 'httpx2') if name in sys.modules]))\n"
        "emulator_process.start = start\n"
        "registry.create(EmulatorConfig(kind='emulator'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
