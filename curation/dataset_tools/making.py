"""Making of a dataset out of videos of finished ones: rows and media are copied, and nothing is measured again."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from curation.output.folder import DatasetFolder, DatasetFolderError
from curation.output.ledger import VideoRecord
from curation.output.sole_writer import require_free
from curation.output.video_files import VideoFiles
from foundation.storage.leases import require_lease
from foundation.storage.regular_files import read_small
from foundation.storage.staged import StagedFiles
from manifests.files.tables import read_table
from manifests.packing.pack import compact
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows, write_packed
from manifests.packing.shards import MEDIA_COLUMNS, Shard, copy_media, moved
from manifests.packing.stated import require_own_files
from manifests.record import DatasetRecord, HistoryStep, describe_tables, draft_dataset, find_dataset
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.identities import IDENTITIES
from manifests.schema.videos import SPANS
from manifests.totals import no_totals

__all__ = ["Origin", "begun", "joined_identities", "record_digest"]

_RECORD_BYTES = 64 << 20


def record_digest(dataset: Path) -> str:
    """Return the SHA-256 of the dataset.json of a finished dataset.

    Raises:
        OSError: it cannot be read.
    """
    return sha256(read_small(dataset / "dataset.json", _RECORD_BYTES, follow_links=False)).hexdigest()


def begun(out: Path, origin: DatasetFolder, record: DatasetRecord, step: HistoryStep) -> DatasetFolder:
    """Return a new dataset, or the one that the same command has begun or made, without content.

    The caller holds its lease.

    Args:
        out: the folder or address.
        origin: a dataset with the settings of the new one.
        record: what it will state, apart from its totals and from the step.
        step: the command.

    Raises:
        DatasetFolderError: `out` holds something else.
        OSError: it cannot be written.
    """
    history = (*record.history, step)
    found = find_dataset(out)
    if found is None:
        require_free(out)
    elif found.history != history:
        raise DatasetFolderError(f"--out {out} is another dataset; give a new folder")
    else:
        require_own_files(out)
    made = record.model_copy(update={"tables": describe_tables(), "totals": no_totals(), "history": history})
    folder = DatasetFolder(out, made, origin.settings, ())
    require_lease(out)
    draft_dataset(out, made)
    compact(out, (), folder.settings.storage)
    return folder


class Origin:
    """A finished dataset, of which videos are copied in the order of their ids."""

    def __init__(self, folder: DatasetFolder, videos: Collection[str]) -> None:
        """Prepare reading.

        Args:
            folder: the dataset.
            videos: ids of those to copy.

        Raises:
            DatasetError: a file is damaged.
        """
        self._dataset = folder.path
        self._videos = frozenset(videos)
        frames, spans, clips = (
            {video: file for video, file in sources_of(table_inventory(folder.path, table)).items() if video in videos}
            for table in (FRAMES, SPANS, CLIPS)
        )
        self._frames, self._spans, self._clips = (
            VideoRows(FRAMES, frames),
            VideoRows(SPANS, spans),
            VideoRows(CLIPS, clips),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for rows in (self._frames, self._spans, self._clips):
            rows.__exit__(kind, error, trace)

    def copy(self, record: VideoRecord, target: DatasetFolder, chosen: Collection[str] | None = None) -> VideoRecord:
        """Copy the rows and media of a curated video, write its record, and return it.

        Args:
            record: of the video.
            target: the new dataset.
            chosen: ids of the clips to copy; None: all.

        Raises:
            DatasetError: a file is damaged, or a tar does not match the rows.
            OSError: a file cannot be read or written.
        """
        files = VideoFiles(target.path, record.listing())
        spans = pa.concat_tables([SPANS.arrow_schema().empty_table(), *self._spans.of(record.video_id)])
        clips = pa.concat_tables([CLIPS.arrow_schema().empty_table(), *self._clips.of(record.video_id)])
        if chosen is not None:
            clips = clips.filter(pc.is_in(clips["clip_id"], pa.array(sorted(chosen), pa.string())))
            spans, record = _narrowed(spans, clips, record)
        with StagedFiles() as staged:
            if len(clips):
                with staged.replacing(target.path / files.media) as stream:
                    offsets = copy_media(self._dataset, clips.select(MEDIA_COLUMNS).to_pylist(), stream)
                with staged.replacing(files.rows(CLIPS)) as stream:
                    write_packed(stream, CLIPS, [moved(clips, Shard(files.media, offsets))], {})
            with staged.replacing(files.rows(FRAMES)) as stream:
                write_packed(stream, FRAMES, self._frames.of(record.video_id), {})
            with staged.replacing(files.rows(SPANS)) as stream:
                write_packed(stream, SPANS, [spans], {})
            require_lease(target.path)
        target.write(record)
        return record

    def identities(self, chosen: Collection[str] | None = None) -> pa.Table:
        """Return the rows of `identities` of the videos, with the chosen clips alone where some are chosen.

        Raises:
            DatasetError: the table is damaged.
        """
        rows = read_table(self._dataset, IDENTITIES.name)
        rows = rows.filter(pc.is_in(rows["video_id"], pa.array(sorted(self._videos), pa.string())))
        if chosen is None:
            return rows
        clips = [[clip for clip in own if clip in chosen] for own in rows["clip_ids"].to_pylist()]
        number = rows.schema.get_field_index("clip_ids")
        field = rows.schema.field(number)
        return rows.set_column(number, field, pa.array(clips, field.type))


def _narrowed(spans: pa.Table, clips: pa.Table, record: VideoRecord) -> tuple[pa.Table, VideoRecord]:
    """Return the spans and the record of a video of which only these clips are left."""
    left = set(clips["clip_id"].to_pylist())
    gone = {"outcome": "not_asked", "clip_id": None, "value": None, "limit": None, "sync": None, "sync_reason": None}
    lost = {clip for clip in spans["clip_id"].to_pylist() if clip is not None and clip not in left}
    rows = [row | gone if row["clip_id"] in lost else row for row in spans.to_pylist()]
    kept = dict.fromkeys(("diffusion", "vae"), 0.0)
    for row in rows:
        if row["outcome"] == "kept":
            kept[row["tier"]] += row["end_s"] - row["start_s"]
    figures = {"n_clips": len(clips)} | {f"kept_{tier}_s": round(seconds, 6) for tier, seconds in kept.items()}
    return pa.Table.from_pylist(rows, schema=spans.schema), record.model_copy(update=figures)


def joined_identities(pieces: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of `identities` of several datasets in one table, in the order of their videos and tracks."""
    rows = pa.concat_tables([IDENTITIES.arrow_schema().empty_table(), *pieces])
    return rows.sort_by([("video_id", "ascending"), ("track_id", "ascending")])
