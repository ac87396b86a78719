"""One planned run of a sweep: validated, placed, and with the text of its `.hydra/` files, but free of OmegaConf."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.artifacts.atomic import disk_errors
from runner.config import RunConfig
from runner.engine.run import Run

from .payable import Intent

_SEPARATOR = "\x00"
FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")
"""What Hydra leaves in `.hydra/`."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the launcher needs to write a run's directory and to hand the run to the engine.

    Attributes:
        num: Hydra's job number; the run's index.
        overrides: everything that composed it, Hydra's own overrides included.
        task_overrides: the same without Hydra's own, as `JobReturn.overrides` has them.
        output_subdir: where the `.hydra/` files go, relative to `directory`; None: nowhere.
        files: the `.hydra/` files, packed.
        fingerprint: of the run's paid work; empty where its request cannot be made, which the preflight refuses.
    """

    num: int
    overrides: tuple[str, ...]
    task_overrides: tuple[str, ...]
    config: RunConfig
    directory: Path
    output_subdir: str | None
    files: Packed
    fingerprint: str = ""

    def run(self, label: str = "") -> Run:
        """The job as the engine takes it."""
        return Run(self.num, self.config, self.directory, self.task_overrides, label)

    @property
    def intent(self) -> Intent:
        """The job as the question of money sees it."""
        return Intent(self.num, self.config, self.directory, self.fingerprint)

    def create_directory(self) -> None:
        """Make the run's directory with its `.hydra/` files; raises `DiskError`."""
        with disk_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            if self.output_subdir is None:
                return
            hydra = self.directory / self.output_subdir
            hydra.mkdir(parents=True, exist_ok=True)
            for name, text in self.files.unpack().items():
                (hydra / name).write_text(text, encoding="utf-8", newline="\n")


@dataclass(frozen=True, slots=True)
class Packed:
    """Texts that hardly differ from those of the first job: some hundred bytes a job instead of eight thousand."""

    like: bytes
    data: bytes

    @classmethod
    def pack(cls, files: Mapping[str, str], like: bytes) -> Packed:
        """Pack the texts of `FILES` against a similar job's, from `joined`."""
        packer = zlib.compressobj(level=1, zdict=like)
        return cls(like, packer.compress(joined(files)) + packer.flush())

    def unpack(self) -> dict[str, str]:
        """File name to text."""
        unpacker = zlib.decompressobj(zdict=self.like)
        text = (unpacker.decompress(self.data) + unpacker.flush()).decode("utf-8", "surrogatepass")
        return dict(zip(FILES, text.split(_SEPARATOR), strict=True))


def joined(files: Mapping[str, str]) -> bytes:
    """The texts as one; none contains the separator, which YAML cannot write unescaped."""
    return _SEPARATOR.join(files[name] for name in FILES).encode("utf-8", "surrogatepass")
