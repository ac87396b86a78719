"""The commands of the README, typed as they stand there."""

from __future__ import annotations

import csv

import av


def test_nothing_typed_makes_a_playable_video_and_says_where(quick):
    done = quick()
    assert done.code == 0, done.err
    (video,) = done.cwd.glob("outputs/*/*/video.mp4")
    assert str(video.relative_to(done.cwd)) in done.out
    assert "$0.80" in done.out
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (1280, 720)
        assert float(container.duration or 0) / av.time_base == 8
    names = {path.name for path in video.parent.iterdir()}
    assert names == {".hydra", ".lock", "ledger.sqlite3", "result.json", "runner.log", "thumbnail.webp", "video.mp4"}
    assert {path.name for path in (video.parent / ".hydra").iterdir()} == {
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    }


def test_an_azure_resource_gets_its_video_on_the_v1_route(cli, server, canary):
    done = cli(
        "provider=azure_openai",
        "request.duration_seconds=8",
        "provider.poll_interval=0.05",
        AZURE_OPENAI_ENDPOINT=server.azure_url,
        AZURE_OPENAI_API_KEY=canary,
    )
    assert done.code == 0, done.err
    (result,) = done.results()
    assert result["status"] == "verified"
    assert "retired" in done.err


def test_openai_makes_an_image(cli, server, canary):
    done = cli(
        *("provider=openai", "model=gpt-image-2.5-flare", "request=image", "request.size=1536x1024"),
        OPENAI_BASE_URL=server.base_url,
        OPENAI_API_KEY=canary,
    )
    assert done.code == 0, done.err
    (result,) = done.results()
    artifact = result["artifacts"][0]
    assert (artifact["path"], artifact["width"], artifact["height"]) == ("image-0.png", 1536, 1024)
    assert result["cost"]["actual_usd"] > 0


def test_a_sweep_leaves_a_directory_a_run_and_a_table(quick):
    done = quick("-m", "request.duration_seconds=4,8,12", "request.aspect_ratio=16:9,9:16")
    assert done.code == 0, done.err
    (sweep,) = done.cwd.glob("outputs/multirun/*/*")
    assert sorted(path.name for path in sweep.iterdir() if path.suffix != ".parquet") == [
        ".lock",
        *map(str, range(6)),
        *("index.html", "ledger.sqlite3", "multirun.yaml", "results.csv", "results.jsonl"),
    ]
    with (sweep / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:2] == ["request.duration_seconds", "request.aspect_ratio"]
    assert {(row["request.duration_seconds"], row["request.aspect_ratio"]) for row in rows} == {
        (seconds, ratio) for seconds in ("4", "8", "12") for ratio in ("16:9", "9:16")
    }
    assert {r["artifacts"][0]["height"] for r in done.results()} == {720, 1280}


def test_image_models_and_qualities_are_swept(quick):
    done = quick(
        *("-m", "model=gpt-image-2.5-flare,gpt-image-2.5-sunburst", "request=image", "request.quality=low,high")
    )
    assert done.code == 0, done.err
    assert len(list(done.cwd.glob("outputs/multirun/*/*/*/image-0.png"))) == 4


def test_an_experiment_runs_alone_and_as_a_sweep(quick):
    assert quick("+experiment=draft_vs_pro").code == 0
    done = quick("-m", "+experiment=image_quality")
    assert done.code == 0, done.err
    assert len(list(done.cwd.glob("outputs/multirun/*/*/*/image-0.png"))) == 6


def test_a_dry_run_prints_prices_and_sum_and_writes_nothing(cli):
    done = cli("dry_run=true", "-m", "request.duration_seconds=4,8,12")
    assert done.code == 0, done.err
    for price in ("$0.40", "$0.80", "$1.20", "$2.40"):
        assert price in done.out
    assert done.left_behind == []


def test_an_unknown_price_is_never_counted_as_nothing(cli):
    done = cli("dry_run=true", "-m", "model=gpt-image-1.5,qwen-image", "request=square_image", "request.quality=null")
    assert done.code == 0, done.err
    assert "unknown" in done.out
    assert "≥ $0.13" in done.out
    assert "1 of unknown price" in done.out
    assert done.left_behind == []


def test_cfg_prints_the_config(cli):
    done = cli("--cfg", "job", "request.duration_seconds=12")
    assert done.code == 0, done.err
    assert "duration_seconds: 12" in done.out
    assert done.left_behind == []


def test_help_shows_commands_groups_and_examples(cli):
    done = cli("--help")
    assert done.code == 0, done.err
    for text in ("emulator", "repeat", "azure_openai", "gpt-image-2.6-sunburst", "python -m runner -m", "Exit codes"):
        assert text in done.out


def test_hydras_own_flags_work(cli):
    assert "runner" in cli("--version").out
    assert "duration_seconds: 8" in cli("--info", "config").out
    assert cli("--hydra-help").code == 0


def test_two_runs_in_the_same_second_never_share_a_directory(quick):
    done = [quick("request=draft") for _ in range(2)]
    assert [d.code for d in done] == [0, 0]
    assert len(list(done[0].cwd.glob("outputs/*/*/video.mp4"))) == 2
