from __future__ import annotations

import pytest

from runner.commands.catalog import refuse_file
from runner.errors import ConfigError


@pytest.mark.parametrize(("beside", "hint"), [("result.json", "show 'a run'"), ("notes.txt", "python -m runner ls")])
def test_a_file_is_answered_with_the_run_that_it_is_of(tmp_path, monkeypatch, beside, hint):
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "a run"
    directory.mkdir()
    (directory / beside).touch()
    (directory / "video.mp4").touch()
    with pytest.raises(ConfigError, match="is a file; show takes a directory") as refused:
        refuse_file((directory / "video.mp4").relative_to(tmp_path), "show")
    assert hint in (refused.value.hint or "")
    refuse_file(directory, "show")
