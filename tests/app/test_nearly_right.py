"""What users type that is nearly right: each is told in one line what to type."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from runner.app import run
from runner.commands.catalog import COMMANDS
from runner.compose.typed import quoted

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
    (["request.prompt=it costs ${19.99}"], r"""'request.prompt="it costs \${19.99}"'"""),
    (["request.prompt=${fox}"], r"\${…}"),
    (["request=conf/request/draft.yaml"], "request=draft"),
    (["~request.seed"], "request.seed=null"),
    (["model=gpt-image-2", "request=image", "request.duration_seconds=4"], "request=video"),
    (["request.extra_params=fast"], "+request.extra_params.NAME=fast"),
    (["request.video=nope/run"], "directory of the run"),
    (["-m", "request.prompt_file=a.txt", "b.txt"], "request.prompt_file=a.txt,b.txt"),
    (["request.prompt=null"], "request.prompt='A red fox'"),
    (["request.prompt", "=", "fox"], "\"request.prompt='fox'\""),
    (["request.prompt:", "fox"], "\"request.prompt='fox'\""),
    (["A red fox"], "\"request.prompt='A red fox'\""),
    (["dry_run", "=", "true"], "dry_run=true"),
    (["run"], "request.prompt="),
    (["help"], "--help"),
    (["list"], "python -m runner ls"),
    (["provider", "openai"], "provider=openai"),
    (["provider/openai"], "provider=openai"),
    (["sora-2"], "model=sora-2"),
    (["+experiment/draft_vs_pro"], "+experiment=draft_vs_pro"),
    (["model=sora-2", "fox"], "'fox' is no key=value"),
    (["model.name=sora-2-pro"], "model=sora-2-pro"),
    (["provider.kind=openai"], "provider=openai"),
    (["request.size=1280X720"], "request.size=1280x720"),
    (["request.duration_seconds=8s"], "request.duration_seconds=8"),
    (["request.duration_seconds=abc"], "request.duration_seconds=NUMBER"),
    (["request.duration_seconds=[4,8]"], "python -m runner -m request.duration_seconds=4,8"),
    (["request.duration_seconds=4,8"], "python -m runner -m request.duration_seconds=4,8"),
    (["request.duration_seconds=range(4,13,4)"], "-m 'request.duration_seconds=range(4,13,4)'"),
    (["request.prompt=fox,cat"], "\"request.prompt='fox,cat'\""),
    (["request.prompt='fox','cat'"], "one text: " + quoted("request.prompt", "'fox','cat'")),
    (["-m", "request.duration_seconds=4,", "8"], "-m request.duration_seconds=4,8"),
    (["-m", "request.duration_seconds=4", "8"], "-m request.duration_seconds=4,8"),
    (["request.prompt_file=~/prompt.txt"], f"request.prompt_file={Path.home()}/prompt.txt"),
    (["request.prompt_file=nope.txt"], "relative to where you stand"),
    (["budget.max_usd=$10"], "budget.max_usd=10"),
    (["dry_run=maybe"], "dry_run=true"),
    (["fallbacks=openai"], "'fallbacks=[{provider: openai}]'"),
    (["fallbacks=sora-2-pro"], "'fallbacks=[{model: sora-2-pro}]'"),
    (["fallbacks=[sora2pro]"], "'fallbacks=[{model: sora-2-pro}]'"),
    (["fallbacks=nothing"], "'fallbacks=[{model: NAME}]'"),
    (["-p", "A red fox"], "\"request.prompt='A red fox'\""),
    (["--config-name", "nope"], "DIR/NAME.yaml"),
    (["--config-path", "nope"], "--config-dir DIR"),
    (["--config-dir", "nope"], "request/"),
    (["resume", "own", "--retry-faild"], "--retry-failed"),
    (["resume"], "python -m runner resume --help"),
    (["show", "empty.txt"], "python -m runner ls"),
    (["report", "empty.txt"], "python -m runner ls"),
    (["repeat", "own/model/mine.yaml"], "python -m runner ls"),
    (["ls", "nope"], "there is no directory nope"),
    (["models", "sora-2"], "sora-2 is one argument too many"),
    (["request.prompt_file=empty.txt"], "empty.txt holds no text"),
    (["request.video=clip.mp4"], "job id"),
    (["--config-dir", "own", "model=mine"], "defaults: [sora-2]"),
    (["--config-dir", "own", "fallbacks=[{model: mine}]"], "defaults: [sora-2]"),
    (["request.image_list=missing.png"], "missing.png"),
]


@pytest.mark.parametrize(("typed", "told"), NEARLY)
def test_what_is_nearly_right_is_told_in_one_line(here: Path, capsys, typed, told):
    (here / "empty.txt").write_text("\n")
    (here / "own/model").mkdir(parents=True)
    (here / "own/model/mine.yaml").write_text("kind: video\nname: mine\n")
    command = typed[0] in COMMANDS or ("." not in typed[0] and "=" not in typed[0] and typed[0][0] not in "-+")
    assert run(typed if command else [*typed, "hydra.run.dir=out"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    assert not (here / "out").exists()


def test_one_image_is_a_list_of_one(here: Path, capsys):
    Image.new("RGB", (1280, 720)).save(here / "photo.png")
    assert run(["dry_run=true", "request.size=1280x720", "request.image_list=photo.png"]) == 0
