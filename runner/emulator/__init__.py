"""An HTTP server that speaks the videos and images API, for use without a key and for tests."""

from runner.emulator.process import EmulatorProcess, EmulatorStartError
from runner.emulator.settings import EmulatorSettings

__all__ = ["EmulatorProcess", "EmulatorSettings", "EmulatorStartError"]
