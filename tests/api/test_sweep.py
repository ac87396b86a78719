"""Sweeps from a program, against an emulator that is reached as Azure, and so costs something."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import signal
import subprocess
import sys

import pytest
from PIL import Image

from runner import (
    BudgetError,
    ConfigError,
    ImageGenerationConfig,
    ImageGenerationRequest,
    VideoGenerationConfig,
    VideoGenerationRequest,
    load_sweep,
    register_provider,
    sweep,
    sweep_async,
)
from runner.app import run
from tests.forking import Forked
from tests.waiting import PATIENCE, wait_until


def boat(number=0, **fields):
    return VideoGenerationRequest(**{"prompt": f"Boat {number}", "duration_seconds": 4, **fields})


def test_every_config_gets_every_request_of_its_kind(config, image_config, emulator, tmp_path):
    other = config.model_copy(update={"model": "sora-2-pro"})
    image = ImageGenerationRequest(prompt="A boat", quality="low", size="1024x1024")
    made = sweep([config, other, image_config], [boat(0), boat(1), image], output_dir=tmp_path / "out")
    assert [run.status for run in made] == ["verified"] * 5
    assert [run.config.model.name for run in made] == ["sora-2", "sora-2-pro"] * 2 + ["gpt-image-2"]
    assert made[0].parameters["request.prompt"] == "Boat 0"
    assert emulator.ledger()["jobs"] == 4


def test_the_directory_holds_ledger_tables_and_page_and_is_what_is_returned(config, tmp_path, read):
    made = sweep(config, [boat(0), boat(1)], output_dir=tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"ledger.sqlite3", "results.csv", "results.jsonl", "index.html", "0", "1"} <= names
    assert len(read(tmp_path / "out" / "index.html")["cells"]) == 2
    assert json.loads((made[1].directory / "result.json").read_text())["status"] == "verified"
    assert made == load_sweep(tmp_path / "out")
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made
    assert made[0].cost_usd == pytest.approx(0.4)


def test_without_a_directory_it_is_where_the_command_line_puts_sweeps(config, here):
    made = sweep(config, boat())
    assert made.directory.relative_to(here).parts[:2] == ("outputs", "multirun")
    assert run(["show", str(made.directory)]) == 0


def test_all_problems_are_told_at_once_and_nothing_is_sent_or_written(config, emulator, tmp_path):
    wrong = config.model_copy(update={"base_url": None})
    requests = [boat(0), boat(1, duration_seconds=5), boat(2, prompt=" ")]
    with pytest.raises(ConfigError) as caught:
        sweep([config, wrong], requests, output_dir=tmp_path / "out")
    said = str(caught.value)
    assert "requests[1]: request.duration_seconds" in said
    assert "requests[2]: request.prompt is empty" in said
    assert "configs[1]" in said
    assert "base_url" in said
    assert emulator.ledger()["jobs"] == 0
    assert not (tmp_path / "out").exists()


def test_a_request_twice_is_refused_unless_several_videos_are_asked_for(config, emulator, tmp_path):
    with pytest.raises(ConfigError, match=r"requests\[1\]: would do and pay the same work as configs\[0\] with req"):
        sweep(config, [boat(), boat()], output_dir=tmp_path / "out")
    made = sweep(config, boat(number_of_videos=3), output_dir=tmp_path / "out")
    assert (len(made), emulator.ledger()["jobs"]) == (3, 3)


def test_a_request_that_cannot_be_made_is_told_once(config, tmp_path):
    with pytest.raises(ConfigError) as caught:
        sweep(config, boat(image_list=[str(tmp_path / "none.png")]), output_dir=tmp_path / "out")
    assert str(caught.value).count("does not exist") == 1


def test_what_nobody_asks_for_is_refused(config, image_config, tmp_path):
    with pytest.raises(ConfigError, match=r"configs\[1\] would do nothing"):
        sweep([config, image_config], boat(), output_dir=tmp_path / "out")
    with pytest.raises(ConfigError, match="requests is empty"):
        sweep(config, [], output_dir=tmp_path / "out")


def test_a_budget_that_does_not_suffice_refuses_before_anything_is_sent(config, emulator, tmp_path):
    with pytest.raises(BudgetError, match="the 3 runs would cost") as caught:
        sweep(config, [boat(number) for number in range(3)], budget_usd=1, output_dir=tmp_path / "out")
    assert caught.value.hint.startswith("budget_usd=1.20")
    assert emulator.ledger()["jobs"] == 0
    assert not (tmp_path / "out").exists()
    made = sweep(config, [boat(number) for number in range(3)], budget_usd=1.2, output_dir=tmp_path / "out")
    assert made[0].config.budget.max_usd == 1.2


def test_a_budget_needs_prices(config, tmp_path):
    unknown = config.model_copy(update={"model": "prod-sora"})
    with pytest.raises(ConfigError, match="no source gives a price") as caught:
        sweep(unknown, boat(), budget_usd=1, output_dir=tmp_path / "out")
    assert "underlying_model" in caught.value.hint
    named = unknown.model_copy(update={"underlying_model": "sora-2"})
    assert sweep(named, boat(), budget_usd=1, output_dir=tmp_path / "out")[0].cost_usd == pytest.approx(0.4)


def test_runs_that_fail_do_not_raise(make_emulator, video_at, tmp_path):
    emulator = make_emulator(rules=[{"match": {"operation": "create"}, "nth": 1, "fault": "internal"}])
    made = sweep(video_at(emulator), [boat(0), boat(1)], output_dir=tmp_path / "out")
    assert sorted(run.status for run in made) == ["failed", "verified"]
    assert [bool(run.error) for run in made] == [run.status == "failed" for run in made]


def test_the_same_call_goes_on_and_pays_for_nothing_twice(config, emulator, tmp_path):
    first = sweep(config, [boat(0)], output_dir=tmp_path / "out")
    again = sweep(config, [boat(0)], output_dir=tmp_path / "out")
    assert again[0].job_id == first[0].job_id
    longer = sweep(config, [boat(0), boat(1)], output_dir=tmp_path / "out")
    assert [run.status for run in longer] == ["verified"] * 2
    assert emulator.ledger()["jobs"] == 2
    for others in ([boat(2), boat(1)], [boat(0)]):
        with pytest.raises(ConfigError, match="output_dir"):
            sweep(config, others, output_dir=tmp_path / "out")
    assert emulator.ledger()["jobs"] == 2


PROGRAM = """
import asyncio, sys
from runner import VideoGenerationConfig, VideoGenerationRequest, sweep
config = VideoGenerationConfig(provider="azure_openai", model="sora-2", api_key=sys.argv[3], base_url=sys.argv[1],
                               poll_interval=0.02, max_poll_attempts=100000)
requests = [VideoGenerationRequest(prompt=f"Boat {number}", duration_seconds=4) for number in range(3)]
def work():
    made = sweep(config, requests, output_dir=sys.argv[2])
    print(*(run.status.value for run in made))

async def notebook():
    work()

if sys.argv[4:] == ["notebook"]:
    asyncio.new_event_loop().run_until_complete(notebook())
else:
    work()
"""


def ended_by(number: int, served, key, directory, *more: str) -> tuple[list[str], int]:
    """End a program by a signal once its three jobs are on disk; how it is started again, and its exit code."""
    program = [PROGRAM, served.azure_url, str(directory), key, *more]
    with Forked("tests.program", program, env=os.environ, stdout=subprocess.DEVNULL) as process:
        records = "*/result.json"
        wait_until(lambda: sum('"submitted"' in path.read_text() for path in directory.glob(records)) == 3, process)
        process.send_signal(number)
    return program, process.returncode


def started_again(program: list[str]) -> list[str]:
    """Return the words that it prints until it ends well."""
    process = Forked("tests.program", program, env=os.environ, text=True)
    said, _ = process.communicate(PATIENCE)
    assert process.returncode == 0
    return said.split()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("more", [[], ["notebook"]])
def test_ctrl_c_leaves_a_sweep_in_order_which_then_goes_on(served, clock, key, tmp_path, more):
    program, code = ended_by(signal.SIGINT, served, key, tmp_path / "out", *more)
    assert code in (-signal.SIGINT, 1)
    left = load_sweep(tmp_path / "out")
    assert ([each.status for each in left], left.running) == (["submitted"] * 3, False)
    assert (tmp_path / "out" / "results.csv").is_file()
    clock.time += clock.long
    assert (started_again(program), served.ledger()["jobs"]) == (["verified"] * 3, 3)


def test_a_killed_sweep_is_continued_by_the_same_program(served, clock, key, tmp_path):
    program, _ = ended_by(signal.SIGKILL, served, key, tmp_path / "out")
    clock.time += clock.long
    assert started_again(program) == ["verified"] * 3
    assert served.ledger()["jobs"] == 3


def test_a_killed_sweep_is_continued_by_the_command_line_with_the_key_of_the_environment(
    served, clock, key, tmp_path, monkeypatch
):
    ended_by(signal.SIGKILL, served, key, tmp_path / "out")
    clock.time += clock.long
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
    assert run(["resume", str(tmp_path / "out")]) == 0
    assert [each.status for each in load_sweep(tmp_path / "out")] == ["verified"] * 3
    assert served.ledger()["jobs"] == 3


def test_keys_are_never_on_disk_and_each_has_a_variable_of_its_own(config, make_emulator, video_at, tmp_path, key):
    strict = make_emulator(api_key="the-second-key-of-them", state_file=tmp_path / "second.sqlite3")
    other = video_at(strict, api_key="the-second-key-of-them")
    made = sweep([config, other], boat(), output_dir=tmp_path / "out")
    assert [run.status for run in made] == ["verified"] * 2
    variables = [run.config.provider.api_key_env for run in made]
    assert variables == ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_API_KEY_2"]
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(word.encode() in content for word in (key, "the-second-key-of-them") for content in files)


def test_a_config_without_a_key_never_gets_anothers(config, video_at, emulator, tmp_path, monkeypatch):
    keyless = video_at(emulator, api_key=None, model="sora-2-pro")
    with pytest.raises(ConfigError, match=r"configs\[1\]: .*AZURE_OPENAI_API_KEY"):
        sweep([config, keyless], boat(), output_dir=tmp_path / "out")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "from-the-environment")
    made = sweep([config, keyless], boat(), output_dir=tmp_path / "out")
    assert [run.config.provider.api_key_env for run in made] == ["AZURE_OPENAI_API_KEY_2", "AZURE_OPENAI_API_KEY"]


def test_providers_of_the_program_are_refused_also_as_a_fallback(config, tmp_path):
    class Handler:
        def generate_video(self, config, request, on_progress=None):
            raise NotImplementedError

    register_provider("mine", Handler())
    own = VideoGenerationConfig(provider="mine", model="any")
    for given in (own, config.model_copy(update={"fallback_configs": [own]})):
        with pytest.raises(ConfigError, match="mine is a provider of register_provider, which has no ledger"):
            sweep(given, boat(), output_dir=tmp_path / "out")


def test_fallback_configs_become_fallbacks(make_emulator, video_at, tmp_path):
    first = make_emulator(rules=[{"match": {"operation": "create"}, "fault": "internal"}])
    second = make_emulator(state_file=tmp_path / "second.sqlite3")
    config = video_at(first, fallback_configs=[video_at(second, model="my-sora", underlying_model="sora-2")])
    (made,) = sweep(config, boat(), output_dir=tmp_path / "out")
    assert (made.status, made.result.choice, made.result.deployment) == ("verified", 1, "my-sora")


def test_images_given_as_bytes_are_kept_with_the_sweep(config, tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (1280, 720), "teal").save(buffer, "PNG")
    request = boat(size="1280x720", image_list=[buffer.getvalue()])
    first = sweep(config, request, output_dir=tmp_path / "out")
    (kept,) = (tmp_path / "out" / "inputs").iterdir()
    assert kept.read_bytes() == buffer.getvalue()
    assert first[0].config.request.images == (str(kept),)
    assert sweep(config, request, output_dir=tmp_path / "out")[0].job_id == first[0].job_id


def test_a_mock_needs_nothing_and_keeps_its_jobs_with_the_sweep(tmp_path):
    config = VideoGenerationConfig(
        provider="openai", model="sora-2", mock={"latency": 0.01}, poll_interval=0.02, timeout=60
    )
    made = sweep(config, boat(), output_dir=tmp_path / "out")
    assert made[0].status == "verified"
    assert (tmp_path / "out" / ".emulator" / "state.sqlite3").is_file()


async def test_updates_tell_their_run_and_the_loop_goes_on(config, tmp_path):
    updates = []

    async def on_progress(update):
        updates.append(update)

    made = await sweep_async(config, [boat(0), boat(1)], output_dir=tmp_path / "out", on_progress=on_progress)
    jobs = {(update.run, update.request_id) for update in updates}
    assert jobs == {(run.number, run.job_id) for run in made}


async def test_it_can_be_called_inside_a_running_loop(config, tmp_path):
    assert sweep(config, boat(), output_dir=tmp_path / "out")[0].status == "verified"


async def test_a_cancelled_sweep_is_left_in_order_and_goes_on(served, clock, video_at, tmp_path):
    import asyncio

    config = video_at(served)
    submitted = asyncio.Event()
    work = asyncio.create_task(
        sweep_async(config, boat(), output_dir=tmp_path / "out", on_progress=lambda _: submitted.set())
    )
    await submitted.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert load_sweep(tmp_path / "out")[0].status == "submitted"
    assert (tmp_path / "out" / "index.html").is_file()
    clock.time += clock.long
    made = await sweep_async(config, boat(), output_dir=tmp_path / "out")
    assert (made[0].status, served.ledger()["jobs"]) == ("verified", 1)


async def test_a_second_cancellation_leaves_at_once_and_in_order(make_emulator, video_at, tmp_path):
    import asyncio

    rules = [{"match": {"operation": "create"}, "nth": [1], "fault": "stalled"}]
    emulator = make_emulator(rules=rules)
    config, record = video_at(emulator), tmp_path / "out" / "0" / "result.json"
    before = asyncio.all_tasks()
    work = asyncio.create_task(sweep_async(config, boat(), output_dir=tmp_path / "out"))
    while not (record.exists() and '"submitting"' in record.read_text()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.sleep(0.2)
    assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert asyncio.all_tasks() == before
    assert load_sweep(tmp_path / "out")[0].status == "uncertain"


HYDRALESS = """
import sys
from runner import VideoGenerationConfig, VideoGenerationRequest, sweep
config = VideoGenerationConfig(provider="openai", model="sora-2", mock={"latency": 0.01}, poll_interval=0.02)
sweep(config, VideoGenerationRequest(prompt="A boat", duration_seconds=4), output_dir="out")
print([name for name in ("hydra", "omegaconf") if name in sys.modules])
"""


def test_no_hydra_is_imported(tmp_path):
    done = subprocess.run([sys.executable, "-c", HYDRALESS], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_a_sweep_has_a_name_and_tags(config, tmp_path):
    made = sweep(config, boat(), output_dir=tmp_path / "out", name="boats", tags=["first", "draft"])
    assert (made[0].config.name, made[0].config.tags) == ("boats", ("first", "draft"))
    for wrong in ({"name": ""}, {"tags": ["two\nlines"]}, {"budget_usd": -1}):
        with pytest.raises(ConfigError):
            sweep(config, boat(), output_dir=tmp_path / "wrong", **wrong)


@pytest.fixture
def openai_images(emulator):
    return ImageGenerationConfig(
        provider="openai", model="gpt-image-2", api_key="sk-any", base_url=emulator.base_url, poll_interval=0.02
    )


def test_images_go_out_in_a_batch_at_its_price(openai_images, emulator, tmp_path):
    images = [ImageGenerationRequest(prompt=f"Boat {n}", quality="low", size="1024x1024") for n in range(3)]
    made = sweep(openai_images, images, output_dir=tmp_path / "out", batch=True)
    assert [run.status for run in made] == ["verified"] * 3
    asked = emulator.ledger()["requests"]
    assert (asked["POST /v1/batches"], asked.get("POST /v1/images/generations")) == (1, None)
    one = sweep(openai_images, images[0], output_dir=tmp_path / "alone")
    assert made[0].cost_usd == pytest.approx(one[0].cost_usd / 2)
    sweep(openai_images, images, output_dir=tmp_path / "out", batch=True)
    assert emulator.ledger()["requests"]["POST /v1/batches"] == 1


def test_what_cannot_go_out_in_a_batch_is_refused(config, image_config, openai_images, emulator, tmp_path):
    image = ImageGenerationRequest(prompt="A boat", quality="low", size="1024x1024")
    with pytest.raises(ConfigError, match="a batch takes images, and this asks for a video"):
        sweep([config, openai_images], [boat(), image], output_dir=tmp_path / "out", batch=True)
    with pytest.raises(ConfigError, match="sources contradict each other about batches of images on Azure"):
        sweep(image_config, image, output_dir=tmp_path / "out", batch=True)
    assert emulator.ledger()["requests"] == {}
    assert not (tmp_path / "out").exists()
