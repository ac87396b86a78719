from __future__ import annotations

import subprocess
import sys

import pytest

import runner
from runner.artifacts.redaction import redacted
from runner.artifacts.result import environment, git_commit
from runner.artifacts.result_file import read_result
from runner.errors import ConfigError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no run's directory"), ("{", "not a result"), ('{"schema_version": 99}', "not a result")],
)
def test_a_result_that_cannot_be_read_is_said_so(tmp_path, content, said):
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_result(tmp_path)


def test_credentials_are_taken_out_of_a_servers_json():
    given = {"id": "v", "headers": [{"Authorization": "Bearer x", "API-Key": "y"}], "usage": {"total_tokens": 3}}
    assert redacted(given) == {
        "id": "v",
        "headers": [{"Authorization": "***", "API-Key": "***"}],
        "usage": {"total_tokens": 3},
    }


def test_versions_are_found_without_importing_what_they_are_of():
    program = (
        "import sys; from runner.artifacts.result import environment;"
        "print(environment().openai, 'openai' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert answer[0][0].isdigit()
    assert answer[1] == "False"
    assert environment().runner == runner.__version__


@pytest.fixture
def checkout(tmp_path):
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    return tmp_path


def test_no_commit_outside_a_checkout(tmp_path):
    assert git_commit(tmp_path) is None


def test_the_commit_of_a_branch(checkout):
    (checkout / ".git" / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    (checkout / "deep" / "down").mkdir(parents=True)
    assert git_commit(checkout / "deep" / "down") == COMMIT


def test_a_packed_branch(checkout):
    (checkout / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled\n{COMMIT} refs/heads/main\n")
    assert git_commit(checkout) == COMMIT


def test_a_detached_head(checkout):
    (checkout / ".git" / "HEAD").write_text(COMMIT)
    assert git_commit(checkout) == COMMIT


def test_a_worktree(checkout):
    (checkout / ".git" / "refs" / "heads" / "side").write_text(COMMIT)
    worktree = checkout / ".git" / "worktrees" / "side"
    worktree.mkdir(parents=True)
    (worktree / "HEAD").write_text("ref: refs/heads/side")
    (worktree / "commondir").write_text("../..")
    other_runs = checkout / "elsewhere"
    other_runs.mkdir()
    (other_runs / ".git").write_text(f"gitdir: {worktree}\n")
    assert git_commit(other_runs) == COMMIT


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none", "nonsense", "ref:"])
def test_a_checkout_without_a_commit(checkout, head):
    (checkout / ".git" / "HEAD").write_text(head)
    assert git_commit(checkout) is None


def test_a_file_in_an_answer_is_no_part_of_its_record():
    kept = redacted({"data": [{"b64_json": "A" * 300_000}], "prompt": "p" * 32_000})
    assert kept == {"data": [{"b64_json": "<300,000 characters>"}], "prompt": "p" * 32_000}
