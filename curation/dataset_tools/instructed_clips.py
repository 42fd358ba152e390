"""Instructions of a list become those of a dataset's clips, by path and time (GAIA appendix E.1)."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from curation.sources.entries import SourceError
from curation.sources.instruction_list import Instruction, read_instructions
from foundation.errors import UsageError
from foundation.storage.leases import require_lease
from foundation.storage.locations import is_remote, location
from foundation.text import count_text, shown
from manifests.files.journal import finish_swap
from manifests.files.tables import read_table
from manifests.packing.relabel import ClipLabels, relabel_clips
from manifests.record import commit_dataset, describe_tables, draft_dataset

__all__ = ["LEAST_SHARE", "InstructionMatches", "matched_instructions", "write_instructions"]

LEAST_SHARE = 0.5
"""Share of a clip that an instruction has to cover, at least. Ours: the paper cuts its clips at the time stamps."""

_SHOWN = 20
"""Rows that the report shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionMatches:
    """Which clips have which instruction."""

    texts: Mapping[str, str]
    """By clip id."""
    n_clips: int
    """Clips of the dataset."""
    rows: int
    """Of the list."""
    without_video: tuple[Instruction, ...]
    """Rows whose video the dataset does not have."""
    without_clip: tuple[Instruction, ...]
    """Rows that cover too little of every clip of their video, or less of it than another row."""

    def text(self) -> str:
        """Return the matches as text for people."""
        used = self.rows - len(self.without_video) - len(self.without_clip)
        asked = count_text(len(self.texts), "clip has an instruction", "clips have an instruction")
        bare = count_text(self.n_clips - len(self.texts), "clip has", "clips have")
        told = f"{asked}, {len(set(self.texts.values())):,} different; {bare} none."
        lines = [f"{used:,} of {count_text(self.rows, 'row')} matched: {told}"]
        for rows, what in (
            (self.without_video, "with a video that is not in the dataset"),
            (self.without_clip, "that no clip shows enough of"),
        ):
            if rows:
                lines.append(f"{count_text(len(rows), 'row')} {what}:")
                lines += [f"  {row}" for row in rows[:_SHOWN]]
                lines += [f"  and {len(rows) - _SHOWN:,} more"] if len(rows) > _SHOWN else []
        return "\n".join(map(shown, lines))


def write_instructions(
    dataset: str | Path, instructions: str | Path, *, least_share: float = LEAST_SHARE, wait: bool = False
) -> InstructionMatches:
    """Give the clips of a dataset the instructions of a list, in place of those that they had.

    Clips of videos that are curated later have none until the same call is made again.

    Args:
        dataset: the folder, or its address.
        instructions: list with the columns `path`, `start_s`, `end_s` and `text`.
        least_share: share of a clip, 0 to 1, that an instruction has to cover, at least; 1: the clip lies inside of it.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        SourceError: the list cannot be read, or names a video by less than tells it apart; nothing is changed.
        UsageError: `least_share` is no share above 0.
        DatasetError: `dataset` is no dataset, or is damaged.
        LeaseHeldError: another command writes to it, and `wait` is false.
        OSError: a file cannot be read or written; the same call completes what was begun.
    """
    if not 0.0 < least_share <= 1.0:
        raise UsageError(f"--least-share is {least_share:g}; give a share above 0, up to 1, such as {LEAST_SHARE:g}")
    rows = read_instructions(location(instructions))
    with sole_writer(dataset, "gaia-curate instructions", wait=wait):
        folder = DatasetFolder.existing(dataset)
        finish_swap(folder.path)
        clips = read_table(folder.path, "clips", ["clip_id", "path", "start_s", "end_s"]).to_pylist()
        videos = read_table(folder.path, "videos", ["path"])["path"].to_pylist()
        found = matched_instructions(clips, videos, rows, least_share)
        folder.record = folder.record.model_copy(update={"tables": describe_tables()})
        require_lease(folder.path)
        draft_dataset(folder.path, folder.record)
        relabel_clips(folder.path, ClipLabels(instructions=found.texts))
        commit_dataset(folder.path, folder.record)
    return found


def matched_instructions(
    clips: Sequence[Mapping[str, Any]], videos: Iterable[str], rows: Sequence[Instruction], least_share: float
) -> InstructionMatches:
    """Return the instruction of each clip: the one that covers most of it, if that is at least `least_share`.

    Of two that cover the same, the first row holds.

    Args:
        clips: rows with `clip_id`, `path`, `start_s` and `end_s`.
        videos: paths of all videos, also of those without clips.
        rows: of the list.
        least_share: share of the clip, 0 to 1.

    Raises:
        SourceError: a row names several videos.
    """
    paths = _Paths([*videos, *(str(clip["path"]) for clip in clips)])
    of_video: defaultdict[str, list[Instruction]] = defaultdict(list)
    without_video = []
    for row in rows:
        path = paths.of(row)
        if path is None:
            without_video.append(row)
        else:
            of_video[path].append(row)
    texts: dict[str, str] = {}
    used: set[int] = set()
    for clip in clips:
        start_s, end_s = float(clip["start_s"]), float(clip["end_s"])
        covered = [
            (max(0.0, min(end_s, row.end_s) - max(start_s, row.start_s)), row) for row in of_video[str(clip["path"])]
        ]
        most_s, best = max(covered, key=lambda pair: pair[0], default=(0.0, None))
        # a microsecond of tolerance: seconds of ticks are no exact numbers
        if best is not None and most_s >= least_share * (end_s - start_s) - 1e-6:
            texts[str(clip["clip_id"])] = best.text
            used.add(id(best))
    return InstructionMatches(
        texts=texts,
        n_clips=len(clips),
        rows=len(rows),
        without_video=tuple(without_video),
        without_clip=tuple(row for of_one in of_video.values() for row in of_one if id(row) not in used),
    )


class _Paths:
    """Paths of a dataset's videos, by the names that a list may give them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)
        self._by_file = {_file(Path(path)): path for path in self._paths if not is_remote(location(path))}
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            self._by_name[PurePosixPath(path).name].append(path)

    def of(self, row: Instruction) -> str | None:
        """Return the path that a row means: the same text, the same file, or the one that ends as the row's path does.

        Raises:
            SourceError: several do.
        """
        if row.path in self._paths:
            return row.path
        if not is_remote(row.file) and (same := self._by_file.get(_file(row.file))) is not None:
            return same
        asked = PurePosixPath(row.path).parts
        ending = [path for path in self._by_name[PurePosixPath(row.path).name] if _ends_with(path, asked)]
        if len(ending) > 1:
            raise SourceError(
                f"{row.place}: {row.path!r} may be {ending[0]!r} or {ending[1]!r} of the dataset; write more of it"
            )
        return ending[0] if ending else None


def _file(path: Path) -> str:
    return os.path.realpath(path)


def _ends_with(path: str, parts: tuple[str, ...]) -> bool:
    return PurePosixPath(path).parts[-len(parts) :] == parts
