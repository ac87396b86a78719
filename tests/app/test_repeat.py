from __future__ import annotations

import json


def run_directory(done):
    (video,) = done.cwd.glob("outputs/*/*/video.mp4")
    return video.parent


def test_a_run_is_repeated_from_its_saved_config_alone(quick, cli):
    first = run_directory(quick("request=draft", "request.prompt='A paper boat, at sea'"))
    done = cli("repeat", str(first.relative_to(first.parents[2])))
    assert done.code == 0, done.err
    second = next(path for path in done.cwd.glob("outputs/*/*/result.json") if path.parent != first)
    results = [json.loads(path.read_text()) for path in (first / "result.json", second)]
    assert results[0]["config"] == results[1]["config"]
    assert results[0]["artifacts"][0]["sha256"] == results[1]["artifacts"][0]["sha256"]
    assert (second.parent / ".hydra" / "config.yaml").is_file()


def test_a_prompt_file_that_changed_or_went_does_not_matter(quick, cli, tmp_path):
    (tmp_path / "prompt.txt").write_text("A paper boat")
    first = run_directory(quick("request=draft", "request.prompt_file=prompt.txt"))
    (tmp_path / "prompt.txt").unlink()
    done = cli("repeat", str(first), "dry_run=false")
    assert done.code == 0, done.err
    assert {result["config"]["request"]["prompt"] for result in done.results()} == {"A paper boat"}


def test_a_new_prompt_and_a_prompt_file_are_not_taken_together(quick, cli, tmp_path):
    (tmp_path / "prompt.txt").write_text("A paper boat")
    first = run_directory(quick("request=draft"))
    both = cli("repeat", str(first), "request.prompt=a hat", "request.prompt_file=prompt.txt")
    assert both.code == 2
    assert "request.prompt: would not be sent" in both.err
    assert "leave one of the two out" in both.err
    assert len(both.results()) == 1, "only the first run's"


def test_single_values_can_be_changed(quick, cli):
    first = run_directory(quick("request=draft"))
    done = cli("repeat", str(first), "request.duration_seconds=8", "dry_run=true")
    assert done.code == 0, done.err
    assert "$0.80" in done.out


def test_what_differs_now_is_said(quick, cli):
    first = run_directory(quick("request=draft"))
    saved = json.loads((first / "result.json").read_text())
    saved["environment"]["openai"] = "3.0.0"
    saved["config"]["model"]["usd_per_second"] = {"default": 0.05}
    (first / "result.json").write_text(json.dumps(saved))
    done = cli("repeat", str(first), "dry_run=true")
    assert "openai 3.0.0 →" in done.err + done.out
    assert "model.usd_per_second" in done.err + done.out
    assert "$0.20" in done.out, "the saved price counts"


def test_wrong_overrides_are_refused(quick, cli):
    first = run_directory(quick("request=draft"))
    before = set(first.parents[2].rglob("*"))
    for override, fragment in [
        ("model=sora-2-pro", "no groups left"),
        ("request.duration_seconds=4,8", "single values"),
        ("request.duration_secs=4", "did you mean request.duration_seconds?"),
        ("request.duration_seconds=5", "Allowed values: 4, 8, 12"),
        ("provider.api_key=hunter2hunter2", "api_key_env"),
        ("prompts=x.csv", "it belongs to a new one: python -m runner prompts="),
        ("hydra.run.dir=x", "it belongs to a new one: python -m runner hydra.run.dir="),
    ]:
        done = cli("repeat", str(first), override)
        assert (done.code, fragment in done.err) == (2, True), done.err
    assert set(first.parents[2].rglob("*")) == before


def test_a_sweep_is_answered_with_the_name_of_a_run(quick, cli):
    done = quick("-m", "request=draft", "replica=0,1")
    (sweep,) = done.cwd.glob("outputs/multirun/*/*")
    assert f"repeat {sweep}/0" in cli("repeat", str(sweep)).err
