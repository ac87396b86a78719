"""What disks, backups and people do to a sweep's files between two processes: lost, cut, old or garbled ones."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

LEDGER = "ledger.sqlite3"
WAL, SHM = f"{LEDGER}-wal", f"{LEDGER}-shm"
HEADER = 100
"""Bytes of SQLite's header, with which a file is recognised at all."""


class Damage:
    """Damages a sweep's directory, so that one of a run's two records, ledger and `result.json`, stays as it was."""

    def __init__(self, sweep: Path, copy: Path, chance: random.Random) -> None:
        self._sweep, self._copy, self._chance = sweep, copy, chance
        self._without_ledger = False
        self._without_result: set[Path] = set()

    def copy(self) -> None:
        """Keep the ledger as it is, to have an old one later."""
        if (self._sweep / LEDGER).exists() and self._chance.random() < 0.5:
            shutil.rmtree(self._copy, ignore_errors=True)
            self._copy.mkdir(parents=True)
            for name in (LEDGER, WAL):
                if (self._sweep / name).exists():
                    shutil.copy(self._sweep / name, self._copy / name)

    def do(self, name: str) -> bool:
        """Do the named damage; whether there was something to damage that may be damaged now."""
        if name.startswith(("ledger", "wal")):
            if not all(map(is_json, self._without_result)):
                return False
            done = DAMAGES[name](self)
            self._without_ledger |= done
            return done
        return not (name.startswith("result") and self._without_ledger) and DAMAGES[name](self)

    def mended(self) -> None:
        """Take note that a process has gone through the ledger and come to its end by itself."""
        self._without_ledger = False

    def _runs(self) -> list[Path]:
        return sorted(path for path in self._sweep.glob("[0-9]*") if path.is_dir())

    def wal_removed(self) -> bool:
        """A backup or a copy left out what is not called `.sqlite3`."""
        found = (self._sweep / WAL).exists()
        for name in (WAL, SHM):
            (self._sweep / name).unlink(missing_ok=True)
        return found

    def wal_flipped(self) -> bool:
        return self._flip(self._sweep / WAL)

    def wal_truncated(self) -> bool:
        return self._truncate(self._sweep / WAL)

    def ledger_flipped(self) -> bool:
        return self._flip(self._sweep / LEDGER)

    def ledger_truncated(self) -> bool:
        return self._truncate(self._sweep / LEDGER)

    def ledger_removed(self) -> bool:
        found = (self._sweep / LEDGER).exists()
        for name in (LEDGER, WAL, SHM):
            (self._sweep / name).unlink(missing_ok=True)
        return found

    def ledger_old(self) -> bool:
        """A backup was put back."""
        if not (self._copy / LEDGER).exists():
            return False
        self.ledger_removed()
        for path in self._copy.iterdir():
            shutil.copy(path, self._sweep / path.name)
        return True

    def sweep_restored(self) -> bool:
        """The whole directory came back from a backup made just before: the same files, and all of them new."""
        other_runs = self._sweep.with_name("backup")
        shutil.copytree(self._sweep, other_runs)
        shutil.rmtree(self._sweep)
        other_runs.rename(self._sweep)
        return True

    def lock_removed(self) -> bool:
        found = (self._sweep / ".lock").exists()
        (self._sweep / ".lock").unlink(missing_ok=True)
        return found

    def result_removed(self) -> bool:
        return self._some_results(Path.unlink)

    def result_truncated(self) -> bool:
        return self._some_results(self._truncate)

    def parts_garbled(self) -> bool:
        """What was left of downloads is not what it was; images are not downloaded twice, and are let alone."""
        found = [path for path in self._sweep.rglob("video*.part") if path.stat().st_size]
        for path in found:
            (self._flip if self._chance.random() < 0.5 else self._truncate)(path)
        return bool(found)

    def parts_planted(self) -> bool:
        """Leftovers lie where downloads will."""
        places = [place for place in self._runs() if self._chance.random() < 0.3]
        for place in places:
            for name in ("video.mp4.part", "image-0.part"):
                if not (place / name).exists():
                    (place / name).write_bytes(self._chance.randbytes(500))
        return bool(places)

    def _some_results(self, spoil: Callable[[Path], object]) -> bool:
        paths = [path for place in self._runs() if (path := place / "result.json").exists()]
        if not paths or not (self._sweep / LEDGER).exists():
            return False
        for path in self._chance.sample(paths, min(len(paths), self._chance.randint(1, 3))):
            spoil(path)
            self._without_result.add(path)
        return True

    def _flip(self, path: Path) -> bool:
        if not path.exists() or path.stat().st_size <= HEADER:
            return False
        content = bytearray(path.read_bytes())
        start = self._chance.randrange(HEADER, len(content))
        for place in range(start, min(len(content), start + self._chance.choice((1, 4, 64, 2000)))):
            content[place] ^= 0xFF
        path.write_bytes(content)
        return True

    def _truncate(self, path: Path) -> bool:
        if not path.exists():
            return False
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(self._chance.choice((0, size // 2, max(0, size - 1))))
        return True


def is_json(path: Path) -> bool:
    """Whether a file is there and whole."""
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


DAMAGES: dict[str, Callable[[Damage], bool]] = {
    name: function
    for name, function in vars(Damage).items()
    if name.startswith(("wal_", "ledger_", "lock_", "result_", "parts_", "sweep_"))
}
"""Every damage by its name."""
