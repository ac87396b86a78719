"""The same work has one fingerprint however it is spelled; other work has another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runner.config.model import VideoModel
from runner.config.run import RunConfig
from runner.errors import ConfigError
from runner.ledger.reuse import fingerprint

AZURE = ("provider=azure_openai", "model.deployment=prod")
RESOURCE = "provider.base_url=https://clips.openai.azure.com"


@pytest.fixture
def work(loaded):
    """The fingerprint of a composed run."""
    return lambda *overrides: fingerprint(loaded(*overrides))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "boat.png"
    Image.new("RGB", (1280, 720), "navy").save(path)
    return path


@pytest.mark.parametrize(
    "spelling",
    [
        "https://clips.openai.azure.com/",
        "https://CLIPS.openai.azure.com:443",
        "https://clips.openai.azure.com/openai/v1/",
        "https://clips.openai.azure.com/openai/deployments/prod/videos",
        "'https://clips.openai.azure.com/openai/v1?api-version=preview'",
    ],
)
def test_one_azure_resource_has_many_spellings(work, spelling):
    assert work(*AZURE, f"provider.base_url={spelling}") == work(*AZURE, RESOURCE)


@pytest.mark.parametrize(
    "same",
    [
        ["provider.api_version=preview"],
        ["provider.api_key_env=ANOTHER_KEY"],
        ["provider.max_concurrent_jobs=1", "provider.poll_interval=1", "provider.timeout=7"],
        ["provider.deadline_seconds=9"],
        ["budget.max_usd=3", "yes=true", "reuse=true", "fail_fast=true", "progress=off", "objective=latency"],
        ["request.thumbnail=false"],
        ["request.number_of_videos=1"],
        ["delete_remote=true"],
        ["verify=full"],
    ],
)
def test_limits_keys_and_what_happens_here_are_no_part_of_the_work(work, same):
    assert work(*AZURE, RESOURCE, *same) == work(*AZURE, RESOURCE)


@pytest.mark.parametrize(
    "other",
    [
        ["provider.base_url=https://others.openai.azure.com"],
        ["model.deployment=another"],
        ["request.prompt=Another"],
        ["request.duration_seconds=4"],
        ["request.aspect_ratio='9:16'"],
        ["replica=1"],
    ],
)
def test_what_is_sent_where_and_which_replica_make_other_work(work, other):
    chosen = {override.partition("=")[0]: override for override in (*AZURE, RESOURCE, *other)}
    assert work(*chosen.values()) != work(*AZURE, RESOURCE)


def test_a_size_by_its_ratio_is_the_same_size(work):
    ratio = work("request.aspect_ratio='9:16'", "request.size=null")
    assert ratio == work("request.size=720x1280", "request.aspect_ratio=null")


def test_a_renamed_file_is_the_same_file_and_a_changed_one_another(work, picture: Path, tmp_path: Path):
    shutil.copy(picture, tmp_path / "renamed.png")
    before = work(f"request.image_list=[{picture}]")
    assert work(f"request.image_list=[{tmp_path / 'renamed.png'}]") == before
    Image.new("RGB", (1280, 720), "red").save(picture)
    assert work(f"request.image_list=[{picture}]") != before


def test_an_image_that_is_fitted_otherwise_is_other_work(work, picture: Path):
    fits = ("crop", "pad")
    assert len({work(f"request.image_list=[{picture}]", f"request.image_fit={fit}") for fit in fits}) == len(fits)
    assert len({work(f"request.image_fit={fit}") for fit in fits}) == 1, "without an image there is nothing to fit"


def test_a_file_that_is_gone_has_no_fingerprint(work):
    with pytest.raises(ConfigError, match=r"nowhere\.png"):
        work("request.image_list=[nowhere.png]")


@pytest.mark.parametrize("url", ["no-url", "ftp://example.com"])
def test_an_address_that_is_none_has_no_fingerprint(work, url):
    with pytest.raises(ConfigError, match=r"provider\.base_url"):
        work("provider=openai", f"provider.base_url={url}")


def test_the_emulator_is_the_same_place_as_long_as_it_keeps_its_jobs(work, tmp_path: Path):
    assert work("provider.latency=9", "provider.poll_interval=7") == work()
    assert work(f"provider.state_file={tmp_path / 'other.sqlite3'}") != work()


PARTS = {
    "prompt": st.sampled_from(["a boat", "a kite", "a boat "]),
    "duration_seconds": st.sampled_from([4, 8, 12]),
    "seed": st.none() | st.integers(0, 2),
    "replica": st.integers(0, 2),
    "deployment": st.sampled_from([None, "prod"]),
    "name": st.sampled_from(["sora-2", "sora-2-pro"]),
}
works = st.fixed_dictionaries(PARTS)


def built(config: RunConfig, parts: dict) -> RunConfig:
    model = config.model.model_copy(update={"deployment": parts["deployment"], "name": parts["name"]})
    assert isinstance(model, VideoModel)
    asked = {name: parts[name] for name in ("prompt", "duration_seconds", "seed")}
    request = config.request.model_copy(update=asked)
    return config.model_copy(update={"model": model, "request": request, "replica": parts["replica"]})


@given(works, works)
def test_two_runs_are_the_same_work_exactly_if_all_that_matters_is_equal(video_everywhere, one, other):
    first, second = (built(video_everywhere, parts) for parts in (one, other))
    # OpenAI itself knows no deployments: what is sent there is the model's name.
    mattering = [{name: value for name, value in parts.items() if name != "deployment"} for parts in (one, other)]
    assert (fingerprint(first) == fingerprint(second)) == (mattering[0] == mattering[1])


@given(works)
def test_a_saved_config_has_the_fingerprint_of_the_one_that_was_saved(video_everywhere, parts):
    config = built(video_everywhere, parts)
    assert fingerprint(RunConfig.model_validate_json(config.model_dump_json())) == fingerprint(config)


@pytest.fixture(scope="module")
def video_everywhere(loaded) -> RunConfig:
    """One config for all of hypothesis's examples, of a model that takes anything."""
    return loaded("provider=openai", "model.validation=off", "request.aspect_ratio=null")
