from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from runner.config.request import ImageRequest, VideoRequest, VideoSampling
from runner.config.run import RunConfig


def messages(problems) -> str:
    return "\n".join(map(str, problems))


def test_a_run_config_is_frozen_and_closed(loaded):
    config = loaded()
    with pytest.raises(ValidationError):
        config.dry_run = True
    assert RunConfig.model_config["extra"] == "forbid"


def test_a_misspelt_key_is_answered_with_the_nearest(refused):
    problems = refused("+request.duration_secs=8")
    assert messages(problems) == "request.duration_secs: is no key here (did you mean request.duration_seconds?)"


def test_a_misspelt_key_at_the_top_is_answered_too(refused):
    assert "did you mean fail_fast?" in messages(refused("+failfast=true"))


def test_a_wrong_type_names_the_key_and_the_value(refused):
    assert messages(refused("request.duration_seconds=long")).startswith(
        "request.duration_seconds: 'long' is not allowed"
    )


def test_every_problem_of_a_run_is_listed(refused):
    problems = refused("request.duration_seconds=long", "request.number_of_videos=0", "provider.timeout=-1")
    assert {p.key for p in problems} == {
        "request.duration_seconds",
        "request.number_of_videos",
        "provider.timeout",
    }


def test_a_deadline_is_more_than_no_time_at_all(refused):
    assert [problem.key for problem in refused("provider.deadline_seconds=0")] == ["provider.deadline_seconds"]


@pytest.mark.parametrize(("override", "seconds"), [("null", 600), ("90", 90)])
def test_a_job_is_waited_for_as_long_as_its_polls_take_or_as_said(loaded, override, seconds):
    assert loaded("provider=openai", f"provider.deadline_seconds={override}").provider.job_timeout == seconds


def test_an_unquoted_ratio_is_explained(refused):
    assert "Quote it in the file: aspect_ratio: '16:9'" in messages(refused("request.aspect_ratio=969"))


def test_off_unquoted_in_yaml_is_still_the_word_off(loaded):
    assert loaded("provider.retired_models=false", "progress=false").progress == "off"


def test_an_empty_prompt_is_refused(refused):
    assert "request.prompt: is empty" in messages(refused("request.prompt=''"))


def test_a_prompt_file_is_read_relative_to_where_the_user_stands(loaded, tmp_path, monkeypatch):
    (tmp_path / "prompt.txt").write_text("Ein Café, (ja) – it's “here”\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert loaded("request.prompt_file=prompt.txt").request.prompt == "Ein Café, (ja) – it's “here”"


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (b"\xef\xbb\xbfA boat\r\n", "A boat"),
        (b"\xef\xbb\xbf\xef\xbb\xbfA\r\nboat\r", "A\nboat"),
        ("one\u200djoined \U0001f469\u200d\U0001f52c".encode(), "one\u200djoined \U0001f469\u200d\U0001f52c"),
    ],
)
def test_a_prompt_file_gives_its_text_alone(loaded, tmp_path, content, prompt):
    (tmp_path / "prompt.txt").write_bytes(content)

    assert loaded(f"request.prompt_file={tmp_path}/prompt.txt").request.prompt == prompt


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("A boat".encode("utf-16"), "is saved as UTF-16, and only UTF-8 is read"),
        ("A boat".encode("utf-32"), "is saved as UTF-32"),
        ("A boat".encode("utf-16-le"), "byte 1 (counted from 0, in line 1) is zero"),
        ("A\nb\ncafé".encode("latin-1"), "byte 7 (counted from 0, in line 3) is 0xe9"),
    ],
)
def test_a_prompt_file_in_another_encoding_is_refused_with_the_place(refused, tmp_path, content, fragment):
    (tmp_path / "prompt.txt").write_bytes(content)

    (problem,) = refused(f"request.prompt_file={tmp_path}/prompt.txt")
    assert problem.key == "request.prompt_file"
    assert f"{tmp_path}/prompt.txt " in problem.message
    assert fragment in problem.message
    assert problem.hint == "save it as UTF-8"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n  \n"])
def test_a_prompt_file_that_holds_no_text_is_an_empty_prompt(refused, tmp_path, content):
    (tmp_path / "prompt.txt").write_bytes(content)

    (problem,) = refused(f"request.prompt_file={tmp_path}/prompt.txt")
    assert (problem.key, problem.message) == ("request.prompt_file", f"{tmp_path}/prompt.txt holds no text")


def test_a_typed_prompt_has_no_byte_order_mark_either(loaded, refused):
    assert loaded("request.prompt='\ufeffA boat'").request.prompt == "A boat"
    (problem,) = refused("request.prompt='\ufeff'")
    assert problem.message == "is empty"


def test_a_missing_prompt_file_is_named(refused, tmp_path):
    problems = refused(f"request.prompt_file={tmp_path}/none.txt")
    assert "No such file" in messages(problems)


def test_a_key_where_a_variable_name_belongs_is_not_repeated(refused):
    problems = refused("provider=openai", "provider.api_key_env=sk-verysecretverysecret")
    assert "provider.api_key_env" in messages(problems)
    assert "verysecret" not in messages(problems)


@pytest.mark.parametrize("model", [VideoSampling, VideoRequest, ImageRequest, RunConfig])
def test_models_are_whole_when_they_are_imported(model):
    code = (
        f"from {model.__module__} import {model.__name__} as model; "
        "print(model.__pydantic_complete__, model.__pydantic_fields_complete__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
