from __future__ import annotations

from pathlib import Path

import pytest

from runner.compose.typed import refuse_slips
from runner.errors import ConfigError

FOX = "\"request.prompt='A red fox'\""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dry_run = true", "dry_run=true"),
        ("model= sora-2", "model=sora-2"),
        ("model =sora-2 dry_run = true", "model=sora-2 dry_run=true"),
        ("request.size:1280x720", "request.size=1280x720"),
        ("request.size: 1280x720", "request.size=1280x720"),
        ("request.prompt: A red fox", FOX),
        ("request.prompt = A red fox dry_run = true", f"{FOX} dry_run=true"),
        ("request.prompt= A red fox", FOX),
        ("request.prompt = A red fox ~budget", f"{FOX} '~budget'"),
        ("request.duration_seconds=4, 8", "request.duration_seconds=4,8"),
        ("request.duration_seconds=4 8 12", "request.duration_seconds=4,8,12"),
        ("request.duration_seconds=4 ,8 model=sora-2", "request.duration_seconds=4,8 model=sora-2"),
        ("request.prompt_file=a.txt b.txt", "request.prompt_file=a.txt,b.txt"),
        ("provider openai", "provider=openai"),
        ("model.name=sora-2-pro", "model=sora-2-pro"),
        ("model.name=sora-2,sora-2-pro", "model=sora-2,sora-2-pro"),
        ("provider.kind=openai", "provider=openai"),
        ("request.kind=image", "request=image"),
        ("request.image_list=[~/a.png,~/b.png]", f"'request.image_list=[{Path.home()}/a.png,{Path.home()}/b.png]'"),
        ("hydra.run.dir=~/x", f"hydra.run.dir={Path.home()}/x"),
    ],
)
def test_a_slip_is_answered_with_the_command_that_was_meant(typed, meant):
    with pytest.raises(ConfigError, match="nothing was sent") as refused:
        refuse_slips(typed.split(" "), command="python -m runner -m")
    assert refused.value.hint == f"python -m runner -m {meant}"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["foo"], "request.duration_seconds=8"),
        (["sora-2"], "model=sora-2"),
        (["dry_run=true", "openai"], "provider=openai"),
        (["+experiment/mine"], "+experiment=mine"),
        (["dry_run"], "dry_run=…"),
    ],
)
def test_a_word_that_is_no_override_is_named_with_what_it_may_stand_for(typed, hint):
    with pytest.raises(ConfigError, match="is no key=value") as refused:
        refuse_slips(typed)
    assert hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    "typed",
    [
        ["request.prompt=A fox: red", "dry_run=true"],
        ["request.prompt=A", "model", "shop", "at", "request:", "4"],
        ["request.prompt=at ~/home"],
        ["~tracking", "+experiment=mine", "hydra.sweeper.params=null"],
        ["model.name=my-own", "provider.state_file=here/~/x"],
        ["request.prompt_file=", "request.aspect_ratio=16:9"],
    ],
)
def test_what_may_be_meant_is_left_to_others(typed):
    refuse_slips(typed)


def test_a_saved_config_has_no_options_to_choose():
    refuse_slips(["model.name=sora-2-pro"], saved=True)


def test_a_key_is_not_repeated():
    with pytest.raises(ConfigError) as refused:
        refuse_slips(["provider.api_key", "=", "0123456789abcdef"])
    assert "0123456789abcdef" not in f"{refused.value.message} {refused.value.hint}"
