"""A key is used and never seen: not in a file, not in a log, not in an error, not in what --cfg prints."""

from __future__ import annotations

import pytest

VIDEO = ("provider.retired_models=off", "provider.poll_interval=0.05", "request=draft")


def written(folder) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".env")


@pytest.mark.parametrize("flags", [[], ["-m", "replica=0,1"]])
def test_no_byte_that_is_written_or_printed_holds_the_key(cli, server, canary, flags):
    done = cli(*flags, "provider=openai", *VIDEO, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=canary)
    assert done.code == 0, done.err
    assert canary.encode() not in written(done.cwd)
    assert canary not in done.out + done.err


def test_neither_does_a_failure_even_with_a_traceback(cli, make_emulator, canary):
    server = make_emulator(api_key="another")
    done = cli("provider=azure_openai", AZURE_OPENAI_ENDPOINT=server.azure_url, AZURE_OPENAI_API_KEY=canary,
               HYDRA_FULL_ERROR="1")  # fmt: skip
    assert done.code == 1
    assert canary.encode() not in written(done.cwd)
    assert canary not in done.out + done.err


@pytest.mark.parametrize("provider", ["openai", "azure_openai"])
def test_a_resolved_config_names_the_variable_only(cli, canary, provider):
    done = cli("--cfg", "all", "--resolve", f"provider={provider}", OPENAI_API_KEY=canary, AZURE_OPENAI_API_KEY=canary)
    assert done.code == 0, done.err
    assert canary not in done.out + done.err
    assert f"api_key_env: {'OPENAI' if provider == 'openai' else 'AZURE_OPENAI'}_API_KEY" in done.out


def test_copying_the_environment_into_hydras_config_is_refused(cli, canary):
    cli("hydra.job.env_copy=[OPENAI_API_KEY]", OPENAI_API_KEY=canary).refused("env_set")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_dotenv_is_read_from_where_the_user_stands(cli, make_emulator, canary, tmp_path, mark):
    server = make_emulator(api_key=canary)
    text = f'OPENAI_API_KEY="{canary}"\r\nOPENAI_BASE_URL={server.base_url}\r\n'
    (tmp_path / ".env").write_bytes((mark + text).encode())
    done = cli("provider=openai", *VIDEO)
    assert done.code == 0, done.err
    assert canary.encode() not in written(done.cwd)


def test_dotenv_never_overrides_the_environment(cli, make_emulator, canary, tmp_path):
    server = make_emulator(api_key=canary)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY=wrong-one-in-the-file\nOPENAI_BASE_URL={server.base_url}\n")
    assert cli("provider=openai", *VIDEO, OPENAI_API_KEY=canary).code == 0


@pytest.mark.parametrize("flags", [[], ["-m"], ["--cfg", "job", "--resolve"]])
@pytest.mark.parametrize(
    ("overrides", "variables"),
    [
        (["request.prompt='${oc.env:PLAIN}'"], {"PLAIN": "sk-abcdefghijklmnopqrst"}),
        (["provider=openai"], {"OPENAI_BASE_URL": "https://user:sk-abcdefghijklmnopqrst@host/v1"}),
    ],
)
def test_a_credential_that_only_resolving_brings_to_light_is_refused(cli, flags, overrides, variables):
    done = cli(*flags, *overrides, **variables)
    done.refused("request.prompt" if "PLAIN" in variables else "provider.base_url")
    assert "sk-abc" not in done.out + done.err


@pytest.mark.parametrize("flags", [[], ["-m", "replica=0,1"]])
@pytest.mark.parametrize("team", ["sk-abcdefghijklmnopqrst", None])
def test_so_is_one_in_an_option_that_a_fallback_names(cli, tmp_path_factory, flags, team):
    option = tmp_path_factory.mktemp("own") / "provider" / "mine.yaml"
    option.parent.mkdir()
    option.write_text("defaults: [openai]\nheaders: {X-Team: '${oc.env:%s}'}\n" % ("TEAM" if team else "TEAM_KEY"))
    own = ("--config-dir", str(option.parents[1]), "fallbacks=[{provider: mine}]")
    done = cli(*flags, *own, TEAM=team or "", TEAM_KEY="a")
    done.refused("provider.headers.X-Team")
    assert "sk-abc" not in done.out + done.err
