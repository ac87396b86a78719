"""How far something is that takes long."""

from __future__ import annotations

from types import SimpleNamespace

from runner.display.output import Advance


def test_it_is_said_every_few_seconds_and_not_at_the_end(monkeypatch, capsys):
    clock = iter([0.0, 5.0, 11.0, 11.0, 30.0])
    monkeypatch.setattr("runner.display.output.time", SimpleNamespace(monotonic=lambda: next(clock)))
    advance = Advance("runs planned", seconds=10)
    for done in (1, 2000, 3000):
        advance(done, 3000)
    assert capsys.readouterr().err == "2,000 of 3,000 runs planned\n"
