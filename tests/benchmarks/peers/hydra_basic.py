"""A `hydra.main` whose task does nothing, on runner's config groups: what Hydra itself costs."""

from __future__ import annotations

import os
from pathlib import Path

import hydra
from omegaconf import DictConfig

CONF = Path(__file__).resolve().parents[3] / "conf"


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(_: DictConfig) -> None:
    """Do nothing."""


if __name__ == "__main__":
    os.environ["RUNNER_STARTED"] = "bench"
    main()
