"""What most commands and their children import; the process that `forking` forks from has it before it forks."""

import av
import filelock
import httpcore2
import httpx2
import hydra
import jinja2
import omegaconf
import openai.resources.chat
import openai.resources.images
import openai.resources.videos
import PIL.Image
import pyarrow.json
import pyarrow.parquet
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
    "httpcore2",
    "httpx2",
    "hydra",
    "jinja2",
    "omegaconf",
    "openai",
    "pyarrow",
    "pydantic",
    "rich",
    "runner",
    "starlette",
    "uvicorn",
]

PIL.Image.init()  # whose plugins are imported when the first one is looked for
