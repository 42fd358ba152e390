"""Identity of what a run learns from: which clips, with which content, wherever the dataset lies.

A folder may be moved or packed, and its clips stay the same; the same folder may hold other clips after `gaia-curate
run`. So the record names clips by id, frames and size of their video, and not the folder.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from foundation.storage.atomic import replacing
from foundation.storage.regular_files import open_regular
from models.run_record import DataRecord
from training.data.selection import ClipIndex

__all__ = ["LearntData", "data_of", "learned_names"]

_MAX_LINE_BYTES = 4096

_NAMED = TypeAdapter(tuple[str, int, int])
"""A line: name of the clip, frames, bytes of its video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LearntData:
    """The clips that a run learns from, and their record."""

    record: DataRecord
    lines: tuple[bytes, ...]
    """A JSON line for each clip, sorted."""

    def write(self, path: Path) -> None:
        """Write the clips to a file.

        Raises:
            OSError: the disk refused.
        """
        with replacing(path) as stream:
            stream.writelines(self.lines)

    def changes(self, before: DataRecord, path: Path) -> dict[str, str]:
        """Return what differs from the data that a run was begun with, by name, for people.

        Args:
            before: record of that run.
            path: file of its clips.
        """
        now = self.record
        changed: dict[str, str] = {}
        if now.clips_sha256 != before.clips_sha256:
            changed["data.clips"] = f"{now.clips}, was {before.clips}{self._came_and_went(before, path)}"
        if (now.landmark_scheme, now.clip_px) != (before.landmark_scheme, before.clip_px):
            changed["data.frames"] = (
                f"{now.clip_px} px with landmarks {now.landmark_scheme!r}, "
                f"was {before.clip_px} px with {before.landmark_scheme!r}"
            )
        if now.latents_sha256 != before.latents_sha256:
            changed["data.latents"] = "of other statistics or another VAE, or has other instructions"
        return changed

    def _came_and_went(self, before: DataRecord, path: Path) -> str:
        ours = {_clip_of(line): line for line in self.lines}
        digest = hashlib.sha256()
        went = other = known = 0
        try:
            for line in _lines(path):
                digest.update(line)
                name = _clip_of(line)
                went += name not in ours
                known += name in ours
                other += name in ours and ours[name] != line
        except (OSError, ValueError):
            return ""
        if digest.hexdigest() != before.clips_sha256:
            return ""
        return f" ({len(ours) - known} came, {went} went, {other} have other content)"


def data_of(index: ClipIndex, *, latents_sha256: str | None = None) -> LearntData:
    """Return the identity of a selection.

    Args:
        index: the clips.
        latents_sha256: identity of their latents; None: the run learns from frames.
    """
    rows = index.rows
    columns = (rows[name].to_pylist() for name in ("clip_id", "n_frames", "mp4_size"))
    lines = tuple(sorted(f"{json.dumps(row, allow_nan=False)}\n".encode() for row in zip(*columns, strict=True)))
    record = DataRecord(
        clips=len(lines),
        clips_sha256=hashlib.sha256(b"".join(lines)).hexdigest(),
        landmark_scheme=index.landmark_scheme,
        clip_px=index.clip_px,
        latents_sha256=latents_sha256,
    )
    return LearntData(record=record, lines=lines)


def learned_names(path: Path) -> frozenset[str]:
    """Return the names of the clips in a file that `LearntData.write` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    return frozenset(_NAMED.validate_json(line)[0] for line in _lines(path))


def _lines(path: Path) -> Iterator[bytes]:
    with open_regular(path, follow_links=False) as stream:
        while line := stream.readline(_MAX_LINE_BYTES):
            yield line


def _clip_of(line: bytes) -> bytes:
    """Return the part of a line that names the clip."""
    return line.partition(b",")[0]
