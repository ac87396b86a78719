"""Hydra's own way to run many jobs at once: `hydra.main` with the joblib launcher, a process and a bare SDK call each.

Usage: hydra.sweep.dir=DIRECTORY +base_url=BASE_URL 'replica=range(COUNT)' -m hydra.launcher.n_jobs=N …
"""

from __future__ import annotations

import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

CONF = Path(__file__).resolve().parent / "conf"


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> None:
    import openai

    with openai.OpenAI(base_url=config.base_url, api_key="bench") as client:
        request = dict(config.request)
        video = client.videos.create(**request)
        while video.status not in ("completed", "failed"):
            time.sleep(1)
            video = client.videos.retrieve(video.id)
        with client.videos.with_streaming_response.download_content(video.id) as content:
            content.stream_to_file(Path(HydraConfig.get().runtime.output_dir) / "video.mp4")


if __name__ == "__main__":
    main()
