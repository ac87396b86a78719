"""Serve the videos and images API over HTTP, for use without a key and for tests."""

from runner.emulator.process import EmulatorProcess, EmulatorStartError
from runner.emulator.settings import EmulatorSettings

__all__ = ["EmulatorProcess", "EmulatorSettings", "EmulatorStartError"]
