"""What users type that is nearly right: each is told in one line what to type."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from runner.app import run

NEARLY = [
    (["request.prompt=A", "red", "fox"], "A red fox"),
    (["deployment=east"], "model.deployment"),
    (["request.n=4"], "request.number_of_videos"),
    (["request.seconds=4"], "request.duration_seconds"),
    (["request=image"], "model=gpt-image-2.6-flare"),
    (["model=gpt-image-2"], "request=image"),
    (["request.size=720p"], "request.size=1280x720"),
    (["budget=10"], "budget.max_usd=10"),
    (["--dry-run"], "dry_run=true"),
    (["--fail-fast=true"], "fail_fast=true"),
    (["--colour"], "--help"),
    (["request.prompt=1984"], "\"request.prompt='1984'\""),
    (["request.prompt=true"], "\"request.prompt='true'\""),
    (['request.prompt="it costs ${19.99}"'], r"\${…}"),
    (["request.prompt_file=empty.txt"], "empty.txt holds no text"),
    (["request.video=clip.mp4"], "job id"),
    (["--config-dir", "own", "model=mine"], "defaults: [sora-2]"),
    (["request.image_list=missing.png"], "missing.png"),
]


@pytest.mark.parametrize(("typed", "told"), NEARLY)
def test_what_is_nearly_right_is_told_in_one_line(here: Path, capsys, typed, told):
    (here / "empty.txt").write_text("\n")
    (here / "own/model").mkdir(parents=True)
    (here / "own/model/mine.yaml").write_text("kind: video\nname: mine\n")
    assert run([*typed, "hydra.run.dir=out"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert not (here / "out").exists()


def test_one_image_is_a_list_of_one(here: Path, capsys):
    Image.new("RGB", (1280, 720)).save(here / "photo.png")
    assert run(["dry_run=true", "request.size=1280x720", "request.image_list=photo.png"]) == 0
