"""Say what a metric is: it sees a file's frames and hears its sound, each once, and gives one number at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

if TYPE_CHECKING:
    from .frame import Frame
    from .videos import Sound

Better = Literal["higher", "lower"] | None
"""Which values are preferred; None where that depends on what is wanted."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Describe a file that is scored, and what its run was asked for.

    Attributes:
        path: the file, absolute.
        media_type: as its record tells, e.g. `video/mp4`.
        prompt: as it was sent.
        width: in pixels, as asked; None where the request leaves it open, as below.
        height: the same.
        seconds: of the video.
        fps: frames a second.
        first_frame: the image that the video was to begin with.
        siblings: the files of other replicas of the same request, and the others of its own run.
    """

    path: Path
    media_type: str
    prompt: str = ""
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None
    first_frame: Path | None = None
    siblings: tuple[Path, ...] = ()

    @property
    def is_video(self) -> bool:
        """Return whether it has frames that follow each other."""
        return self.media_type.startswith("video/")

    @property
    def plain(self) -> dict[str, Any]:  # Any: JSON
        """Return it as JSON has it."""
        held = asdict(self)
        first = None if self.first_frame is None else str(self.first_frame)
        return {**held, "path": str(self.path), "first_frame": first, "siblings": [str(path) for path in self.siblings]}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:  # Any: JSON
        """Return the subject that `plain` tells of."""
        first = plain["first_frame"]
        paths = {
            "path": Path(plain["path"]),
            "first_frame": None if first is None else Path(first),
            "siblings": tuple(Path(path) for path in plain["siblings"]),
        }
        return cls(**{**plain, **paths})


class Metric:
    """Compute one number of one file; the docstring tells its range, its unit, which values are better and its source.

    A metric is made for each file. `value` is None where the file has nothing of the kind, as a picture has no sound.
    """

    version: ClassVar[int | str] = 1
    """What is computed: another version's values are not taken for its own."""

    better: ClassVar[Better] = None

    depends_on: ClassVar[tuple[str, ...]] = ()
    """The fields of `Subject` that the number depends on beside the file's content."""

    media: ClassVar[frozenset[str]] = frozenset({"image", "video"})
    """Of which kinds of files it is: the first half of a media type."""

    def __init__(self, subject: Subject) -> None:
        """Take what is to be scored; nothing is read yet."""
        self.subject = subject

    def see(self, frame: Frame) -> None:
        """Take the next frame; a picture has one."""

    def hear(self, sound: Sound) -> None:
        """Take the next part of the sound."""

    def value(self) -> float | None:
        """Return the number, when everything was seen and heard."""
        raise NotImplementedError

    @classmethod
    def applies_to(cls, subject: Subject) -> bool:
        """Return whether such a file has this number."""
        return subject.media_type.partition("/")[0] in cls.media


VIDEO = frozenset({"video"})
"""For metrics of what moves or sounds."""
