"""What checking a video costs, and how much damage it finds: clips of several codecs, each damaged in many ways.

    python tests/benchmarks/damage.py [--step 3]

Each clip is cut, overwritten with zeros and noise, shortened and changed by single bits, always at the same places. A
damage is found where `probe` refuses the file, quickly or thoroughly.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from clip import write_clip
from table import heading

from runner.artifacts.probe import probe
from runner.errors import ArtifactError

_HOLE = 4096
"""Bytes that are overwritten or lost in one piece: a page of a disk."""

_SHORT = {"seconds": 4, "size": 200_000, "shape": (320, 180)}


@dataclass(frozen=True)
class Kind:
    """A clip: the ending of its name, its encoder, and frames from one key frame to the next."""

    name: str
    extension: str = "mp4"
    codec: str = "libx264"
    movflags: str = "+faststart"
    key_frame_every: int = 24


KINDS = (
    Kind("H.264, header in front"),
    Kind("H.264, header at the end", movflags=""),
    Kind("H.264, one key frame", key_frame_every=250),
    Kind("H.264, fragmented", movflags="+frag_keyframe+empty_moov"),
    Kind("H.265", codec="libx265"),
    Kind("AV1", codec="libsvtav1"),
    Kind("H.264 in Matroska", "mkv", movflags=""),
    Kind("H.264 in MPEG-TS", "ts", movflags=""),
)


def main() -> None:
    """Print what each clip's check takes, then what is found of each kind of damage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=3, help="percent from one cut to the next")
    step = parser.parse_args().step
    av.logging.set_level(av.logging.PANIC)
    os.environ["SVT_LOG"] = "0"  # the AV1 encoder prints by itself
    heading(f"{len(KINDS)} clips, cut at every {step} %")
    files, found = Counter[str](), {thorough: Counter[str]() for thorough in (False, True)}
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        for kind in KINDS:
            path = Path(folder) / f"clip.{kind.extension}"
            options = {"codec": kind.codec, "movflags": kind.movflags, "key_frame_every": kind.key_frame_every}
            write_clip(path, **_SHORT, **options)
            print(f"{kind.name:28}" + "".join(f"{name} {_milliseconds(path, full):6.1f} ms   " for name, full in
                                             (("quick", False), ("full", True))))  # fmt: skip
            for damage, content in damaged(path.read_bytes(), step):
                path.write_bytes(content)
                files[damage] += 1
                for thorough, counted in found.items():
                    counted[damage] += _is_refused(path, thorough=thorough)
    print(f"\n{'':32}{'files':>8}{'quick':>8}{'full':>8}")
    for damage, count in files.items():
        print(f"{damage:32}{count:>8}{found[False][damage]:>8}{found[True][damage]:>8}")


def damaged(whole: bytes, step: int) -> Iterator[tuple[str, bytes]]:
    """Yield what a file may become, with what was done to it."""
    dice, size = random.Random(len(whole)), len(whole)
    for percent in range(step, 100, step):
        kept = size * percent // 100
        yield "cut", whole[:kept]
        yield "zeros to the end", whole[:kept] + bytes(size - kept)
    for _ in range(25):
        place = dice.randrange(size - _HOLE)
        before, after = whole[:place], whole[place + _HOLE :]
        yield "4 kB of zeros", before + bytes(_HOLE) + after
        yield "4 kB of noise", before + dice.randbytes(_HOLE) + after
        yield "4 kB missing", before + after
        yield "20 bits", _flipped(whole, 20, dice)
        yield "one bit", _flipped(whole, 1, dice)


def _flipped(whole: bytes, count: int, dice: random.Random) -> bytes:
    content = bytearray(whole)
    for _ in range(count):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return bytes(content)


def _is_refused(path: Path, *, thorough: bool) -> bool:
    try:
        probe(path, thorough=thorough)
    except ArtifactError:
        return True
    return False


def _milliseconds(path: Path, thorough: bool) -> float:
    """CPU time of one check, the median of nine."""
    taken = []
    for _ in range(9):
        begin = time.process_time()
        probe(path, thorough=thorough)
        taken.append(1000 * (time.process_time() - begin))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
