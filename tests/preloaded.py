"""What most commands import; the process that `command_line` forks from has it before it forks."""

import filelock
import httpx2
import hydra
import omegaconf
import openai.resources.images
import openai.resources.videos
import PIL.Image
import pydantic
import rich.console

import runner.app
import runner.cli.single
import runner.engine.execution
import runner.ledger
import runner.providers.emulator
import runner.providers.sdk
import runner.sweep.launcher
import runner.sweep.resumption
import runner.sweep.sweeper

__all__ = ["PIL", "filelock", "httpx2", "hydra", "omegaconf", "openai", "pydantic", "rich", "runner"]
