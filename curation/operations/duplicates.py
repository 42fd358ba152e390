"""Near-duplicates of a dataset: found on its evidence, kept on one side of the split, and reported."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.duplicates.near_duplicates import NearDuplicate, groups_of, near_duplicates
from curation.duplicates.traces import TRACE_COLUMNS, Trace, trace_of
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.sole_writer import sole_writer
from foundation.text import count_text, shown, text_table
from manifests.files.journal import finish_swap
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.schema.frames import FRAMES

__all__ = ["Duplicates", "find_duplicates"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """Near-duplicates of a dataset."""

    pairs: tuple[NearDuplicate, ...]
    """Each pair once."""
    paths: Mapping[str, str]
    """By video id, the path of each video of a pair."""
    groups: Mapping[str, str]
    """By video id, the group that the video belongs to, as the column `duplicate_group` has it."""
    n_videos: int
    """Videos that were compared."""
    split: str
    """Hours of each split, and what changed sides, in words."""

    def text(self) -> str:
        """Return a table of the pairs for people to read."""
        groups = count_text(len(set(self.groups.values())), "group")
        found = f"{count_text(len(self.pairs), 'pair')} of near-duplicates in {groups}"
        head = f"Compared {count_text(self.n_videos, 'video')}: {found if self.pairs else 'no near-duplicates'}."
        columns = ["video", "near-duplicate", "face", "sound", "speed", "begins at", "compared", "mirrored"]
        rows = [
            [
                shown(self.paths[pair.video_id]),
                shown(self.paths[pair.other_id]),
                _correlation(pair.what.face),
                _correlation(pair.what.sound),
                f"{pair.what.speed:.2f}",
                f"{pair.what.offset_s:.1f} s",
                f"{pair.what.common_s:.1f} s",
                "yes" if pair.what.mirrored else "no",
            ]
            for pair in self.pairs
        ]
        table = [text_table(columns, rows, numeric=[False, False, True, True, True, True, True, False])] if rows else []
        return "\n\n".join([head, *table, self.split])

    def json(self) -> str:
        """Return the pairs as JSON: ids, paths, group, and what they have in common."""
        pairs = [
            {
                "video_id": pair.video_id,
                "other_id": pair.other_id,
                "path": self.paths[pair.video_id],
                "other_path": self.paths[pair.other_id],
                "duplicate_group": self.groups[pair.video_id],
                **{name: None if math.isnan(value) else value for name, value in asdict(pair.what).items()},
            }
            for pair in self.pairs
        ]
        return json.dumps({"videos": self.n_videos, "pairs": pairs}, ensure_ascii=False, indent=1, allow_nan=False)


def find_duplicates(dataset: str | Path, *, wait: bool = False) -> Duplicates:
    """Find the near-duplicates of a dataset, record them in `videos`, and put each group on one side of the split.

    They are found on the evidence: no video is read, and nothing else is stored of what they are found by.

    Args:
        dataset: made by `run` or `decide`.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, or a file of it is damaged.
        LeaseHeldError: another command writes to it, and `wait` is false; nothing is changed.
        LeaseLostError: this process was stopped for so long that another command has begun.
        OSError: a file cannot be read or written; the same call goes on.
    """
    with sole_writer(dataset, "gaia-curate duplicates", wait=wait):
        folder = DatasetFolder.existing(dataset)
        finish_swap(folder.path)
        rows, ledger = folder.rows(), folder.ledger()
        traces = _traces(folder.path)
        pairs = near_duplicates(traces)
        groups = groups_of(pairs)
        for record in ledger.values():
            if record.duplicate_group != groups.get(record.video_id):
                folder.write(_of_group(record, groups))
        folder.finish([_of_group(row, groups) for row in rows])
        paths = {row.video_id: row.path for row in rows if row.duplicate_of is None and row.video_id in groups}
        return Duplicates(
            pairs=tuple(pairs),
            paths=paths,
            groups=groups,
            n_videos=len(traces),
            split=folder.assignment.text(),
        )


def _of_group(record: VideoRecord, groups: Mapping[str, str]) -> VideoRecord:
    return record.model_copy(update={"duplicate_group": groups.get(record.video_id)})


def _traces(dataset: Path) -> dict[str, Trace]:
    """Return the traces of all videos with evidence, 8 bytes a tick."""
    sources = sources_of(table_inventory(dataset, FRAMES))
    with VideoRows(FRAMES, sources, ("video_id", *TRACE_COLUMNS)) as rows:
        return {video_id: trace_of(rows.table_of(video_id)) for video_id in sorted(sources)}


def _correlation(r: float) -> str:
    return "-" if math.isnan(r) else f"{r:.3f}"
