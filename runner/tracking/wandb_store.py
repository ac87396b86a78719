"""Record in Weights & Biases: one run for each run, a sweep's in a group with a run of its own."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.config.run import WandbTracking

from .store import End, Facts

_EXIT_CODES = {End.DONE: 0, End.FAILED: 1, End.CANCELLED: 1, End.OPEN: 4}
"""As the process itself would end."""

_LONGEST = 128
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif"})
_CLIPS = frozenset({".mp4", ".webm", ".gif"})
_NOT_A_NAME = re.compile(r"[^\w.-]", re.ASCII)


class WandbStore:
    """Record in a project; raises whatever wandb raises."""

    def __init__(self, config: WandbTracking, asks_server: Callable[[], None] = lambda: None) -> None:
        """Take the project; a run opens at its first use, and `asks_server` is called before a server is asked."""
        import wandb

        asks_server()
        self._wandb = wandb
        self._config = config
        self._sweep: Any = None  # Any: wandb's run
        # Silent also means that it never asks for a key on the terminal, but fails.
        usual = wandb.setup(self._settings()).settings
        self.place = f"wandb {config.entity or usual.entity or ''}/{config.project} {config.mode or usual.mode}"

    def begin(self, sweep: Facts, known: str | None) -> str:
        """Open the sweep's own run, which stays open; its id is the group of the others."""
        own = known or _new_id()
        self._sweep = self._init(own, sweep, own, "sweep", {})
        return own

    def record(self, run: Facts, parent: str | None, known: str | None) -> Iterator[str]:
        """Record an ended run with its files; one that is known is continued."""
        own = known or _new_id()
        yield own  # known before the server hears of it
        opened = self._init(own, run, parent, "run", _nested(run))
        try:
            yield own
            self._write(opened, run)
            if known:
                _clear(opened, run)
            yield own
        finally:
            opened.finish(exit_code=_EXIT_CODES[run.end])

    def end(self, parent: str, sweep: Facts) -> None:  # noqa: ARG002 - it is the one that is open
        """Close the sweep's own run with its sums."""
        self._sweep.config.update(_nested(sweep), allow_val_change=True)
        self._sweep.summary.update({**sweep.metrics, **_tags(sweep)})
        self._sweep.finish(exit_code=_EXIT_CODES[sweep.end])

    def _init(
        self,
        own: str,
        facts: Facts,
        group: str | None,
        kind: str,
        config: dict[str, Any],  # Any: a config tree
    ) -> Any:  # Any: wandb's run
        return self._wandb.init(
            project=self._config.project,
            entity=self._config.entity,
            id=own,
            name=facts.name[:_LONGEST],
            group=group,
            job_type=kind,
            config=config,
            mode=self._config.mode,
            resume="allow",
            reinit="create_new",
            settings=self._settings(),
        )

    def _settings(self) -> Any:  # Any: wandb's settings
        return self._wandb.Settings(
            silent=True,
            console="off",
            init_timeout=self._config.patience_seconds,
            # Also for what is still open when the process ends, which else may wait for a server for hours.
            finish_timeout=self._config.patience_seconds,
            finish_timeout_raises=True,
            disable_code=True,
            disable_git=True,
            x_disable_stats=True,
        )

    def _write(self, opened: Any, run: Facts) -> None:  # Any: wandb's run
        media = dict(self._media(run.files))
        if media:
            opened.log(media)
        opened.summary.update({**run.metrics, **_tags(run)})
        others = [path for path in run.files if path.suffix not in _PICTURES | _CLIPS]
        if others:
            artifact = self._wandb.Artifact(f"run-{_NOT_A_NAME.sub('-', opened.id)}", type="run")
            for path in others:
                artifact.add_file(str(path))
            opened.log_artifact(artifact)

    def _media(self, files: Sequence[Path]) -> Iterator[tuple[str, Any]]:  # Any: what wandb shows
        for path in files:
            if path.suffix in _CLIPS:
                yield path.stem, self._wandb.Video(str(path))
            elif path.suffix in _PICTURES:
                yield path.stem, self._wandb.Image(str(path))


def _new_id() -> str:
    return uuid.uuid4().hex[:16]


def _tags(facts: Facts) -> dict[str, str]:
    return {key.removeprefix("runner."): value for key, value in facts.tags.items() if value is not None}


def _clear(opened: Any, facts: Facts) -> None:  # Any: wandb's run
    """Remove what an earlier recording may have said and holds no more, as an error."""
    for key, value in facts.tags.items():
        if value is None:
            del opened.summary[key.removeprefix("runner.")]


def _nested(facts: Facts) -> dict[str, Any]:  # Any: a config tree
    """Return the parameters by section, as wandb's tables group them."""
    tree: dict[str, Any] = {}  # Any: as above
    for key, value in facts.params.items():
        *path, name = key.split(".")
        node = tree
        for part in path:
            child = node.setdefault(part, {})
            node = child if isinstance(child, dict) else node
        node[name] = value
    return tree
