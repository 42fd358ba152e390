"""Shards: tars with the clips of many videos, copied from the tars of the single videos."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import pyarrow as pa

from foundation.storage.atomic import replacing
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import open_regular
from manifests.errors import DatasetError
from manifests.files.journal import hidden_name, move_file
from manifests.files.media import MediaError
from manifests.files.names import clip_id
from manifests.files.tar import MemberRange, TarWriter, tar_path
from manifests.packing.clip_json import FACT_COLUMNS, LOCATION_COLUMNS, clip_json
from manifests.packing.packed_files import TableFile
from manifests.packing.rows import HashingStream, VideoRows
from manifests.schema.clips import CLIPS

__all__ = ["MEDIA_COLUMNS", "Shard", "copy_media", "moved", "write_shard"]

_COPY_BYTES = 1 << 20

MEDIA_COLUMNS = (*FACT_COLUMNS, *LOCATION_COLUMNS)
"""Columns of `clips` that locate the media, and those of which a clip's JSON file is made."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Tar that was written."""

    media: str
    """Path relative to the dataset."""
    first_bytes: Mapping[str, tuple[int, int | None]]
    """By clip id, offsets of its MP4 and of its FLAC file in the tar."""


def write_shard(
    dataset: Path, label: str, videos: Sequence[str], sources: Mapping[str, TableFile], *, name: str | None = None
) -> Shard:
    """Copy the media of all clips of `videos`, in this order, into one tar, to which no table refers yet.

    Its name is `media/<label>-<first digits of its sha256>.tar`, so different content has a different name.

    Args:
        dataset: the folder.
        label: beginning of the name.
        videos: ids of the videos.
        sources: by video id, the file with its rows of `clips`.
        name: use this name instead; an existing file of the name holds the same videos.

    Raises:
        DatasetError: a tar is missing, or does not match the rows.
        OSError: a file cannot be read or written.
    """
    hidden = dataset / hidden_name(f"media/{label}.tar")
    with replacing(hidden) as stream, VideoRows(CLIPS, sources, MEDIA_COLUMNS) as rows:
        hashed = HashingStream(stream)
        of_videos = (row for video in videos for piece in rows.of(video) for row in piece.to_pylist())
        offsets = copy_media(dataset, of_videos, hashed)
        digest = hashed.hexdigest()
    media = f"media/{name or f'{label}-{digest[:12]}'}.tar"
    move_file(hidden, dataset / media)
    return Shard(media, offsets)


def copy_media(
    dataset: Path, rows: Iterable[Mapping[str, Any]], stream: BinaryIO | HashingStream
) -> dict[str, tuple[int, int | None]]:
    """Copy the media of rows of `clips` into a new tar, each clip with its JSON file, and return their offsets in it.

    Args:
        dataset: the folder with the tars of the rows.
        rows: the rows, with `MEDIA_COLUMNS`.
        stream: the new tar, empty.

    Raises:
        DatasetError: a tar is missing, or does not match the rows.
        OSError: a file cannot be read or written.

    Returns:
        By clip id, offsets of its MP4 and of its FLAC file.
    """
    offsets: dict[str, tuple[int, int | None]] = {}
    with _Tars(dataset) as tars:
        tar = TarWriter(stream)

        def copy(row: Mapping[str, Any], kind: str) -> int | None:
            if row[f"{kind}_offset"] is None:
                return None
            try:
                where = MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
            except MediaError as error:
                raise _lost(dataset, row, str(error)) from error
            return tar.add(f"{clip_id(row['clip_id'])}.{kind}", where.size, tars.blocks(row, where)).offset

        for row in rows:
            mp4 = copy(row, "mp4")
            if mp4 is None:
                raise DatasetError(f"{dataset}: clip {row['clip_id']} has no mp4; run `gaia-curate validate`")
            offsets[row["clip_id"]] = (mp4, copy(row, "flac"))
            facts = clip_json(row)
            tar.add(f"{row['clip_id']}.json", len(facts), [facts])
        tar.close()
    return offsets


def moved(rows: pa.Table, shard: Shard) -> pa.Table:
    """Return rows of `clips` with the locations of their media in `shard`."""
    offsets = [shard.first_bytes[clip_id] for clip_id in rows["clip_id"].to_pylist()]
    values: dict[str, list[Any]] = {
        "media": [shard.media] * len(rows),
        "mp4_offset": [mp4 for mp4, _ in offsets],
        "flac_offset": [flac for _, flac in offsets],
    }
    for name, column in values.items():
        number = rows.schema.get_field_index(name)
        field = rows.schema.field(number)
        rows = rows.set_column(number, field, pa.array(column, field.type))
    return rows


class _Tars:
    """Source tars; one is open at a time, since all clips of a video are in one tar."""

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset
        self._open: tuple[str, BinaryIO] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open[1].close()

    def blocks(self, row: Mapping[str, Any], where: MemberRange) -> Iterator[bytes]:
        """Yield the bytes `where` of the tar of a row."""
        media = row["media"]
        if self._open is None or self._open[0] != media:
            self.__exit__()
            self._open = None
            try:
                path = tar_path(self._dataset, media)
                self._open = (media, path.open("rb") if is_remote(path) else open_regular(path, follow_links=False))
            except MediaError as error:
                raise _lost(self._dataset, row, str(error)) from error
            except OSError as error:
                raise _lost(self._dataset, row, error.strerror or str(error)) from error
        stream = self._open[1]
        stream.seek(where.offset)
        left = where.size
        while left:
            block = stream.read(min(left, _COPY_BYTES))
            if not block:
                raise _lost(self._dataset, row, "it ends before the clip does")
            left -= len(block)
            yield block


def _lost(dataset: Path, row: Mapping[str, Any], why: str) -> DatasetError:
    record = dataset / "ledger" / f"{row['video_id']}.json"
    return DatasetError(
        f"{dataset}/{row['media']}: clip {row['clip_id']} cannot be read from it: {why}. Restore it from a copy, or "
        f"remove {record}, and the same run curates that video again"
    )
