"""`python -m runner doctor` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_default_config_is_fit(cli):
    done = cli("doctor")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("ok")] == [
        *("config", "output", "decode", "credential", "endpoint", "key", "model", "list", "clock")
    ]
    assert not list(done.cwd.glob("outputs/2*"))


def test_a_wrong_key_ends_with_1_and_a_next_step_and_never_shows_it(cli, make_emulator, canary):
    server = make_emulator(api_key="the-right-one")
    done = cli("doctor", "provider=azure_openai", AZURE_OPENAI_ENDPOINT=server.azure_url, AZURE_OPENAI_API_KEY=canary)
    assert done.code == 1
    assert "FAIL  key" in done.out
    assert "→ check AZURE_OPENAI_API_KEY" in done.out
    assert canary not in done.out + done.err
    assert server.ledger()["jobs"] == 0
    assert not (done.cwd / "outputs").exists()


def test_json_is_one_object(cli, server, canary):
    done = cli("doctor", "--json", "provider=openai", "model=gpt-image-2", "request=image",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)  # fmt: skip
    assert done.code == 0, done.out
    found = json.loads(done.out)
    assert found["ok"] is True
    assert {"name": "key", "status": "ok", "message": "accepted (OPENAI_API_KEY)", "hint": None} in found["checks"]
    assert done.left_behind == []


def test_entra_id_without_a_sign_in_names_az_login_in_one_failure(cli, server):
    done = cli("doctor", "provider=azure_openai", "provider.auth=entra_id", AZURE_OPENAI_ENDPOINT=server.azure_url,
               AZURE_TOKEN_CREDENTIALS="EnvironmentCredential")  # fmt: skip
    assert done.code == 1
    assert done.out.count("FAIL") == 1
    assert "az login" in done.out
    assert done.err == ""


def test_a_refused_config_ends_with_2(cli, canary):
    cli("doctor", "provider.nope=1").refused("provider.nope")
    cli("doctor", "-m", "request.duration_seconds=4,8").refused("this is a sweep")
    cli("doctor", "request.duration_seconds=4,8").refused("request.duration_seconds")
    cli("doctor", "provider=nowhere").refused("nowhere")
    assert canary not in cli("doctor", f"+provider.api_key={canary}").err
    cli("doctor", f"+provider.api_key={canary}").refused("provider.api_key")


def test_help_says_what_it_does_and_imports_nothing_heavy(cli):
    assert "Exit codes" in cli("doctor", "--help").out
    code = (
        "import sys, runner.commands.doctor, runner.doctor;"
        "print([name for name in ('openai', 'httpx2', 'azure', 'av', 'rich') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_is_only_worth_a_warning_is_said_and_refuses_nothing(cli):
    done = cli("doctor", "--json", "request.video=video_1", "request.duration_seconds=8")
    assert done.code == 0, done.err
    assert json.loads(done.out)["ok"] is True
    assert "warning: request.video: a remix keeps its source's length and size and model; not sent: " in done.err


def test_batches_are_asked_about_where_images_are_to_go_out_in_one(cli, server):
    azure = {"AZURE_OPENAI_ENDPOINT": server.azure_url, "AZURE_OPENAI_API_KEY": "an-emulated-key"}
    images = ("provider=azure_openai", "model=gpt-image-2", "request=image", "provider.batches=true")
    asked = cli("doctor", *images, "batch=true", **azure)
    assert "ok    batches" in asked.out, asked.out + asked.err
    assert "ok    batches" not in cli("doctor", *images, **azure).out


def test_an_endpoint_without_batches_is_told_where_one_is_wanted(cli, make_emulator):
    server = make_emulator(dialect="litellm", models=("gpt-image-2",))
    done = cli("doctor", "provider=openai", "model=gpt-image-2", "request=image", "batch=true",
               OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="an-emulated-key")  # fmt: skip
    assert "FAIL  batches" in done.out, done.out + done.err
    assert "→ batch=false" in done.out


def test_a_template_and_its_words_are_read_as_a_run_reads_them(cli):
    done = cli("doctor", "vars.brand=acme", "request.prompt=A {brand} shoe, at night")
    assert done.code == 0, done.out + done.err
