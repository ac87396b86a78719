"""Wrong input: one clear message, no traceback, code 2, nothing sent, nothing left behind."""

from __future__ import annotations

import pytest

from runner.app import run


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["model=sora2"], ["model: 'sora2' is no option", "did you mean model=sora-2"]),
        (["modle=sora-2"], ["modle", "did you mean model"]),
        (["request.duration_secs=8"], ["request.duration_secs", "did you mean request.duration_seconds?"]),
        (["+request.duration_secs=8"], ["request.duration_secs", "did you mean request.duration_seconds?"]),
        (["provider=bedrock"], ["azure_openai", "emulator", "openai"]),
        (["request.duration_seconds=long"], ["request.duration_seconds: 'long' is not allowed"]),
        (["request.duration_seconds=5"], ["5 seconds. Allowed values: 4, 8, 12"]),
        (["request.aspect_ratio=4:3"], ["Invalid aspect ratio: 4:3. Supported ratios: 16:9, 9:16"]),
        (["request.size=640x480"], ["640x480 is not offered by sora-2"]),
        (["request.aspect_ratio=969"], ["Quote it in the file: aspect_ratio: '16:9'"]),
        (["request.prompt="], ["request.prompt: is empty"]),
        (["request.prompt_file=none.txt"], ["cannot read none.txt"]),
        (["request.prompt=a hat", "request.prompt_file=x.txt"], ["cannot read x.txt", "would not be sent"]),
        (["request.image_list=[none.png]"], ["none.png"]),
        (["request.prompt=it's"], ["request.prompt", "request.prompt_file=prompt.txt"]),
        (["request.prompt=1_000"], ["say that it is text: \"request.prompt='1_000'\""]),
        (["-m", "request.prompt=1e3"], ["say that it is text: \"request.prompt='1e3'\""]),
        (
            ["-m", "request.prompt=fern,1_000,.5"],
            ["say that it is text: \"request.prompt='1_000'\"", "request.prompt='.5'"],
        ),
        (["request.prompt=un café"], ["request.prompt_file=prompt.txt"]),
        (["request.prompt=a cat, and a dog"], ["2 separate paid runs"]),
        (["-m", "request.prompt=a cat, and a dog"], ["2 separate paid runs"]),
        (["request.duration_seconds=4,8"], ["-m"]),
        (["provider=openai"], ["OPENAI_API_KEY", "model", "retired"]),
        (["provider=openai", "model=gpt-image-2", "request=image"], ["OPENAI_API_KEY"]),
        (["provider=azure_openai"], ["provider.base_url", "https://"]),
        (["hydra.job.chdir=true"], ["hydra.job.chdir"]),
        (["hydra.job.env_set.A=b"], ["hydra.job.env_set"]),
        (["exclude=[{model: sora-2}]"], ["exclude: {model: sora-2} leaves this run out", "exclude=[]"]),
        (["emulater"], ["did you mean: python -m runner emulator"]),
        (["repeat", "nowhere"], ["nowhere is no run's directory"]),
    ],
    ids=lambda value: value[-1][:40] if isinstance(value, list) else None,
)
def test_wrong_input_is_answered_with_what_to_type(cli, arguments, fragments):
    cli(*arguments).refused(*fragments)


def test_a_typed_prompt_is_not_lost_to_a_file_that_an_experiment_names(cli, tmp_path_factory):
    mine = tmp_path_factory.mktemp("mine")
    (mine / "story.txt").write_text("A long story")
    (mine / "experiment").mkdir()
    experiment = f"# @package _global_\nrequest:\n  prompt_file: {mine}/story.txt\n"
    (mine / "experiment" / "story.yaml").write_text(experiment)
    usual = ("--config-dir", str(mine), "+experiment=story", "dry_run=true")

    cli(*usual, "request.prompt=a hat").refused("request.prompt: would not be sent", "story.txt takes its place")
    cli(*usual, "-m", "request.prompt=a hat", "replica=1,2").refused("all 2 runs: request.prompt: would not be")
    assert cli(*usual).code == 0
    assert cli(*usual, "request.prompt=a hat", "request.prompt_file=null").code == 0


def test_every_problem_of_every_run_is_listed_at_once(cli):
    done = cli("-m", "request.duration_seconds=4,5,8", "request.aspect_ratio=16:9,4:3")
    done.refused("5 seconds. Allowed values: 4, 8, 12", "Invalid aspect ratio: 4:3")
    assert "runs 2-3" in done.err
    assert "runs 1, 3, 5" in done.err


@pytest.mark.parametrize(
    ("base_url", "fragment"),
    [
        ("not a url", "provider.base_url"),
        ("ftp://example.com", "provider.base_url"),
        ("http://example.com/v1", "allow_http"),
        ("https://user:hunter2@example.com", "provider.base_url"),
    ],
)
def test_a_url_that_cannot_be_trusted_is_refused(cli, canary, base_url, fragment):
    done = cli(
        *("provider=openai", "model=gpt-image-2", "request=image"), OPENAI_BASE_URL=base_url, OPENAI_API_KEY=canary
    )
    done.refused(fragment)
    assert "hunter2" not in done.err
    assert canary not in done.err


@pytest.mark.parametrize("flags", [[], ["-m"], ["--cfg", "job"], ["--cfg", "job", "--resolve"], ["--info", "config"]])
@pytest.mark.parametrize(
    "override",
    [
        "provider.api_key={key}",
        "+provider.api_key={key}",
        "++provider.api_key={key}",
        "provider={{kind: openai, api_key: {key}}}",
        "provider.api_key_env=sk-{key}",
    ],
)
def test_a_key_on_the_command_line_is_refused_before_anything_is_written(cli, canary, flags, override):
    done = cli(*flags, override.format(key=canary))
    done.refused("api_key_env")
    assert canary not in done.err + done.out


@pytest.mark.parametrize("flags", [[], ["-m"], ["--cfg", "job"], ["--info", "config"]])
def test_a_key_in_an_experiment_file_is_refused(cli, canary, tmp_path, flags):
    folder = tmp_path / "home" / "experiment"
    folder.mkdir(parents=True)
    (folder / "leaky.yaml").write_text(f"# @package _global_\nprovider:\n  api_key: {canary}\n")
    done = cli(*flags, "--config-dir", "home", "+experiment=leaky")
    assert done.code == 2
    assert canary not in done.err + done.out
    assert not (tmp_path / "outputs").exists()


def test_a_traceback_is_there_for_who_asks(cli):
    assert "Traceback" in cli("model=sora2", HYDRA_FULL_ERROR="1").err


def test_outputs_that_cannot_be_written_are_named(cli, tmp_path):
    (tmp_path / "outputs").write_text("a file in the way")
    done = cli()
    assert done.code == 2
    assert "outputs" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["request.prompt=${nope}"], "nope"),
        (["-m", "request.prompt_file=glob(nope*)"], "no runs"),
        (["hydra.output_subdir=../up"], "hydra.output_subdir"),
        (["hydra.output_subdir=result.json"], "hydra.output_subdir"),
        (["provider=azur"], "did you mean provider=azure_openai?"),
    ],
)
def test_what_cannot_be_planned_is_refused(cli, arguments, fragment):
    cli(*arguments).refused(fragment)


def test_a_config_file_that_is_no_yaml_is_named(cli, tmp_path):
    (tmp_path / "home" / "experiment").mkdir(parents=True)
    (tmp_path / "home" / "experiment" / "broken.yaml").write_text("a: [1")
    done = cli("--config-dir", "home", "+experiment=broken")
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert "broken.yaml" in done.err


def test_a_dotenv_that_is_no_text_is_named(cli, tmp_path):
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    cli().refused(".env is no UTF-8 text: byte 2 (counted from 0, in line 1) is 0xff", "save it as UTF-8")


def test_an_earlier_run_is_never_overwritten(quick):
    assert quick("request=draft", "hydra.run.dir=fixed").code == 0
    other = quick("request=draft", "request.prompt=Another", "hydra.run.dir=fixed")
    assert other.code == 2
    assert "holds another run, which would be overwritten" in other.err


def test_a_directory_that_cannot_be_made_is_refused(cli):
    cli("hydra.run.dir=" + "x" * 300).refused("hydra.run.dir", "cannot be made")


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_every_unknown_key_is_named_at_once(cli, flags):
    done = cli(*flags, "request.duration_secs=4", "request.aspct=1", "provider.latncy=3")
    done.refused("did you mean request.duration_seconds?", "request.aspct", "did you mean provider.latency?")


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["-m", "request.duration_secs=3", "request.duration_seconds=4,99"], "run 1: "),
        (["request.duration_secs=3", "request.duration_seconds=99"], ""),
    ],
)
def test_unknown_keys_and_wrong_values_are_named_together(cli, arguments, runs):
    done = cli(*arguments)
    done.refused("did you mean request.duration_seconds?", f"{runs}request.duration_seconds: Invalid duration")


@pytest.mark.parametrize("arguments", [["provider=emulator"], ["-m", "provider=emulator"], ["ls"]])
def test_a_working_directory_that_is_gone_is_said(tmp_path, monkeypatch, capfd, arguments):
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    assert run(arguments) == 2
    assert "error: the working directory is no longer there" in capfd.readouterr().err
