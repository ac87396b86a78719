"""What most commands and their children import; the process that `forking` forks from has it before it forks."""

import av
import filelock
import httpx2
import hydra
import omegaconf
import openai.resources.chat
import openai.resources.images
import openai.resources.videos
import PIL.Image
import pydantic
import rich.console
import starlette
import uvicorn

import runner.app
import runner.artifacts.probe
import runner.cli.single
import runner.emulator.server
import runner.emulator.video
import runner.engine.execution
import runner.ledger
import runner.metrics.likeness
import runner.model_judge.asking
import runner.providers.emulator
import runner.providers.sdk
import runner.sweeps.launcher
import runner.sweeps.resumption
import runner.sweeps.sweeper

__all__ = [
    "PIL",
    "av",
    "filelock",
    "httpx2",
    "hydra",
    "omegaconf",
    "openai",
    "pydantic",
    "rich",
    "runner",
    "starlette",
    "uvicorn",
]
