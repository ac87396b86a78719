"""`models --refresh openrouter` as it is typed: what it writes, what is chosen from it, what it refuses."""

from __future__ import annotations

import json
import re

import pytest

REFRESH = ("models", "--refresh", "openrouter")
NAME = "openrouter/kwaivgi/kling-video-o1"
FAST = ("provider.poll_interval=0.02", "yes=true", "progress=off")


@pytest.fixture
def host(make_emulator):
    return make_emulator(dialect="openrouter")


@pytest.fixture
def at(cli, canary):
    """Run a command line against a server that is reached as OpenRouter; refreshing needs no key."""

    def call(server, *arguments):
        key = {} if arguments[0] == "models" else {"OPENROUTER_API_KEY": canary}
        return cli(*arguments, OPENROUTER_BASE_URL=server.base_url, **key)

    return call


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".runner" / "conf" / "model" / "openrouter"


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listing(entries, images=()):
    """Return what a small server answers: these entries, and for images those."""
    answers = {"/v1/videos/models": entries, "/v1/images/models": images}
    return lambda asked: (200, {"data": answers[asked.path]}) if asked.path in answers else (404, {"error": "no"})


def video(name, /, **more):
    return {
        "id": name, "supported_durations": [5], "supported_resolutions": ["720p"], "supported_aspect_ratios": ["16:9"],
        "supported_frame_images": None, "supported_sizes": None, "generate_audio": None, "seed": None,
        "pricing_skus": {"duration_seconds": "0.10"}, **more,
    }  # fmt: skip


def test_it_says_what_it_wrote_and_a_run_has_its_price_from_there(at, host, folder, tmp_path):
    done = at(host, *REFRESH)
    assert done.code == 0, done.err
    assert "lists 16 video models and 6 image models" in done.out
    assert re.search(r"written: (\d+) files below \.runner/conf/model/, \1 of them new", done.out)
    assert "price unknown" not in done.out
    assert "different from conf/model/:\n  nothing\n" in done.out
    assert (folder / "kwaivgi" / "kling-video-o1.yaml").read_text().startswith("# Written by `python -m runner models")

    chosen = ("provider=openrouter", f"model={NAME}", "request.duration_seconds=5")
    dry = at(host, *chosen, "dry_run=true")
    assert (dry.code, "$0.56" in dry.out) == (0, True), dry.err
    run = at(host, *chosen, "request.size=1280x720", *FAST)
    assert run.code == 0, run.err
    (result,) = run.results()
    assert result["cost"] == {"estimated_usd": 0.56, "estimated_from": "list", "actual_usd": 0.56}
    assert host.ledger()["jobs"] == 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("request.duration_seconds=7", "Allowed values: 5, 10"),
        ("request.size=128x96", "Allowed values: 1280x720, 720x1280, 720x720"),
        ("request.resolution=4K", "Allowed values: 720p"),
        ("request.aspect_ratio=21:9", "Supported ratios: 16:9, 9:16, 1:1"),
        ("request.seed=3", "is not something openrouter/kwaivgi/kling-video-o1 can honour"),
        ("request.image_list=[{role: reference, image: 'https://example.com/a.png'}]", "takes no reference"),
    ],
)
def test_what_the_host_does_not_make_is_refused_before_anything_is_sent(at, host, override, said):
    assert at(host, *REFRESH).code == 0
    done = at(host, "provider=openrouter", f"model={NAME}", "request.duration_seconds=5", override)
    assert done.code == 2
    assert said in done.err
    assert host.ledger()["jobs"] == 0


def test_a_sweep_and_a_fallback_choose_among_both(at, host):
    at(host, *REFRESH)
    kling = "openrouter/kwaivgi/kling-v3.0-pro"
    swept = at(
        host, "-m", "provider=openrouter", f"model=veo-3.1,{kling}", "request.duration_seconds=4", "dry_run=true"
    )
    assert (swept.code, "2 runs · $2.27" in swept.out) == (0, True), swept.err
    fallback = at(host, "provider=openrouter", "model=veo-3.1", "request.duration_seconds=4", "dry_run=true",
                  f"fallbacks=[{{model: {kling}}}]")  # fmt: skip
    assert (fallback.code, "$2.27 if every fallback" in fallback.out) == (0, True), fallback.err
    image = at(host, "provider=openrouter", "model=openrouter/qwen/qwen-image-3", "request=image", "dry_run=true")
    assert (image.code, "$0.03" in image.out) == (0, True), image.err


def test_a_name_that_is_nearly_right_is_told(at, host):
    wrong = ("provider=openrouter", "model=openrouter/kwaivgi/kling-video-01", "dry_run=true")
    assert "python -m runner models --refresh openrouter" in at(host, *wrong).err
    at(host, *REFRESH)
    done = at(host, *wrong)
    assert (done.code, f"did you mean model={NAME}?" in done.err) == (2, True)


def test_models_lists_them_apart_with_their_day(at, host):
    at(host, *REFRESH)
    done = at(host, "models")
    shipped, _, refreshed = done.out.partition("As openrouter listed on ")
    assert NAME not in shipped
    assert NAME in refreshed
    told = json.loads(at(host, "models", "--json").out)
    assert told[NAME]["refreshed_from"] == "openrouter"
    assert "kling-3.0-std" in told


def test_a_file_that_its_user_changed_stays_and_what_is_old_says_so(at, host, folder):
    at(host, *REFRESH)
    path = folder / "kwaivgi" / "kling-video-o1.yaml"
    path.write_text(re.sub(r"read: .*", "read: 2026-01-02", path.read_text()).replace("0.112", "0.2"))
    mine = path.read_bytes()
    again = at(host, *REFRESH)
    assert "kept: .runner/conf/model/openrouter/kwaivgi/kling-video-o1.yaml, which you changed" in again.out
    assert ", 0 of them new" in again.out
    assert path.read_bytes() == mine
    dry = at(host, "provider=openrouter", f"model={NAME}", "request.duration_seconds=5", "dry_run=true")
    assert "$1.00" in dry.out
    assert "as openrouter told on 2026-01-02" in dry.out + dry.err
    assert "--refresh openrouter reads it anew" in at(host, "models").out
    path.write_text("kind: [")
    broken = at(host, "models")
    assert (broken.code, "kling-video-o1.yaml cannot be read as a model" in broken.err) == (0, True)


def test_what_is_listed_no_more_stays_and_is_told(at, small_server, folder):
    small_server.answer = listing([video("a/one"), video("a/two")])
    at(small_server, *REFRESH)
    small_server.answer = listing([video("a/two", pricing_skus={"per_dream": "1"})])
    done = at(small_server, *REFRESH)
    assert "listed no more, the files stay:\n  openrouter/a/one" in done.out
    assert "a/two: it is not known what per_dream counts" in done.out
    assert [*files(folder)] == ["a/one.yaml", "a/two.yaml"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": {"message": "no"}}),
        (404, {"error": {"message": "no"}}),
        (200, {"data": "none"}),
        (200, []),
        (200, {"data": []}),
        (200, {"data": [{"id": "../../x"}] * 3}),
        (200, {"data": [{}] * 2001}),
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (302, {}),
    ],
    ids=["broken", "no route", "no list", "list alone", "empty", "no names", "too many", "page", "deep", "redirect"],
)
def test_what_cannot_be_used_leaves_everything_as_it_was(at, small_server, tmp_path, folder, answer):
    small_server.answer = listing([video("a/one")])
    at(small_server, *REFRESH)
    before = files(tmp_path)
    small_server.answer = lambda asked: answer
    done = at(small_server, *REFRESH)
    assert done.code == 1, done.out
    assert "Traceback" not in done.err
    assert "nothing was written" in done.err
    assert files(tmp_path) == before


def test_without_a_network_there_is_one_clear_line(cli, unused_port, tmp_path):
    done = cli(*REFRESH, OPENROUTER_BASE_URL=f"http://127.0.0.1:{unused_port}/v1")
    assert done.code == 1
    assert "cannot be reached" in done.err
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ("xai",),
        ("openrouter", "--json"),
        (),
        ("openrouter", "provider=openai"),
        ("openrouter", "provider.base_url=ftp://x"),
    ],
)
def test_what_makes_no_sense_is_refused(cli, arguments):
    cli("models", "--refresh", *arguments).refused("error: ")


def test_nothing_that_a_server_says_becomes_a_path_an_interpolation_or_an_escape(at, small_server, tmp_path):
    bad = ["../../../x/y", "/etc/x", "a/../../x", "a/${oc.env:OPENROUTER_API_KEY}", "a/\x1b[31mred", "a/b\nkind: image",
           "a/b: c", "con/x", "A/ONE", None, {"a": 1}]  # fmt: skip
    odd = "${oc.env:OPENROUTER_BASE_URL}\x1b[2J\n!!python/object/apply:os.system ['touch owned']"
    entries = [
        *map(video, bad),
        video("a/one", name=odd, description=odd, supported_resolutions=[odd, "720p"], pricing_skus={odd: odd}),
        video("a/two", supported_durations=["5", odd, -1, 10**30], pricing_skus={"duration_seconds": odd}),
        odd,
    ]
    small_server.answer = listing(entries, [{"id": "a/three", "supported_parameters": {odd: {"values": [odd]}}}])
    done = at(small_server, *REFRESH)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    root = tmp_path / ".runner" / "conf" / "model" / "openrouter"
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    # Of two that are one file where case does not count, the first that came.
    assert {path.relative_to(root).as_posix() for path in written} == {"A/ONE.yaml", "a/two.yaml", "a/three.yaml"}
    assert "a/one is listed twice" in done.out
    for path in written:
        assert not {"$", "\x1b", "!"} & {*path.read_text()}
    dry = at(
        small_server, "provider=openrouter", "model=openrouter/a/two", "request.duration_seconds=5", "dry_run=true"
    )
    assert (dry.code, "unknown" in dry.out) == (0, True), dry.err


def test_what_the_host_tells_otherwise_than_the_shipped_model_is_said(at, small_server):
    token = {"video_tokens": "0.000007", "video_tokens_1080p": "0.0000077", "video_tokens_4k": "0.000005"}
    small_server.answer = listing(
        [
            video("runway/gen-4.5", pricing_skus={"duration_seconds": "0.15"}, supported_durations=[4, 8]),
            video(
                "bytedance/seedance-2.0",
                pricing_skus=token,
                supported_durations=[*range(4, 16)],
                supported_resolutions=["480p", "720p", "1080p", "4K"],
            ),
        ]
    )
    done = at(small_server, *REFRESH)
    assert done.code == 0, done.err
    assert "gen-4.5: durations 2, 3, 4, 5, 6, 7, 8, 9, 10; runway/gen-4.5 now has 4, 8" in done.out
    assert "gen-4.5: $0.12 a second at 720p; runway/gen-4.5 now costs $0.15" in done.out
    assert "seedance-2.0: $4 a million video tokens at 4K; bytedance/seedance-2.0 now costs $5" in done.out
    assert done.out.count("seedance-2.0: ") == 1


@pytest.mark.parametrize("there", [".runner", ".runner/conf/model/openrouter/a/.one.yaml.tmp/x"])
def test_a_list_that_cannot_be_written_is_no_talk_of_jobs(at, small_server, tmp_path, there):
    small_server.answer = listing([video("a/one")])
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("in the way")
    done = at(small_server, *REFRESH)
    assert done.code == 5, done.err
    told = " ".join(done.err.split())
    assert "cannot write" in told
    assert "and give the command again; each file is there as a whole or as it was" in told
    assert "jobs" not in told
