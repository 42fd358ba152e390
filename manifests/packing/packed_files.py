"""The Parquet files of a dataset's tables as they lie there: which videos are in each, and how many bytes they take.

A worker writes one file per video. What is packed of many says so in its footer, so that nothing has to be read to know
it: the bits that the ids begin with, and of each video the bytes that its own file had.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import table_files
from manifests.files.tar import tar_bytes
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table

__all__ = ["PACKED", "PackedFacts", "PartFile", "part_files", "sources_of", "stored_videos", "videos_digest"]

PACKED = "part-"
"""What names of packed files begin with."""

_FACTS = b"gaia_packed"

_SIZES = ("mp4_size", "flac_size")

_MEDIA_COLUMNS = ("video_id", "media", *_SIZES)


class PackedFacts(BaseModel):
    """What stands in the footer of a file that holds many videos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str
    """Bits that the ids of its videos begin with."""
    videos: Mapping[str, tuple[int, int]]
    """By id, bytes of the video's rows, and bytes of its clips in a tar."""
    media: tuple[str, ...] = ()
    """Tars that its clips lie in."""
    tar_videos: str | None = None
    """`videos_digest` of all videos whose clips lie in the tar that was written with it; None: it was not."""

    def footer(self) -> dict[str, str]:
        """Return the facts as metadata of a Parquet file."""
        return {_FACTS.decode(): self.model_dump_json()}


@dataclass(frozen=True, kw_only=True, slots=True)
class PartFile:
    """A Parquet file of a table."""

    path: Path
    name: str
    """Relative to the dataset."""
    facts: PackedFacts
    packed: bool
    """Whether it was packed, and is not as a worker wrote it."""


def videos_digest(video_ids: tuple[str, ...]) -> str:
    """Return what stands for a set of videos in the footer of a file."""
    return sha256("\n".join(sorted(video_ids)).encode()).hexdigest()


def part_files(dataset: Path, table: Table) -> list[PartFile]:
    """Return the files of a table, in the order of their names.

    Raises:
        DatasetError: a file is damaged; the message names it.
    """
    return [_part_file(table, path) for path in table_files(dataset, table.name)]


def sources_of(parts: Iterable[PartFile]) -> dict[str, PartFile]:
    """Return where the rows of each video are: in its own file rather than in a packed one."""
    ordered = sorted(parts, key=lambda part: not part.packed)
    return {video_id: part for part in ordered for video_id in part.facts.videos}


def stored_videos(dataset: Path, table: Table) -> dict[str, bool]:
    """Return the ids of the videos that a table has rows of, each with whether they are packed with others.

    Only packed files are looked into: one that a worker wrote is called after its video.

    Raises:
        DatasetError: a file is damaged; the message names it.
    """
    stored: dict[str, bool] = {}
    for path in table_files(dataset, table.name):
        if path.name.startswith(PACKED):
            stored.update(dict.fromkeys(_part_file(table, path).facts.videos, True))
        else:
            stored[path.stem] = False
    return stored


def _part_file(table: Table, path: Path) -> PartFile:
    try:
        with open_parquet(path) as file:
            told = (file.metadata.metadata or {}).get(_FACTS)
            facts = _measured(file, table) if told is None else PackedFacts.model_validate_json(told)
    except (pa.ArrowException, OSError, ValidationError) as error:
        raise DatasetError(
            f"{path}: cannot be read: {error}; restore it, or remove it: the same run then curates what was in it"
        ) from error
    return PartFile(path=path, name=f"{table.name}/{path.name}", facts=facts, packed=told is not None)


def _measured(file: pq.ParquetFile, table: Table) -> PackedFacts:
    """Return what is in a file that a worker wrote. Where it holds several videos, bytes are shared by their rows."""
    sizes: Counter[str] = Counter()
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        n_bytes = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
        ids = _ids(file, number)
        for video_id, n_rows in ids.items():
            sizes[video_id] += n_bytes * n_rows // group.num_rows
    in_tars: Counter[str] = Counter()
    media: set[str] = set()
    for row in file.read(columns=list(_MEDIA_COLUMNS)).to_pylist() if table is CLIPS else ():
        media.add(row["media"])
        in_tars[row["video_id"]] += sum(tar_bytes(row[name]) for name in _SIZES if row[name] is not None)
    return PackedFacts(
        prefix="",
        videos={video_id: (size, in_tars[video_id]) for video_id, size in sorted(sizes.items())},
        media=tuple(sorted(media)),
    )


def _ids(file: pq.ParquetFile, number: int) -> Counter[str]:
    """Return how many rows of a row group each video has; nothing is read where the footer tells that it is one."""
    group = file.metadata.row_group(number)
    lowest, highest = span_of_ids(file, number)
    if lowest == highest:
        return Counter({lowest: group.num_rows})
    return Counter(file.read_row_group(number, columns=["video_id"])["video_id"].to_pylist())


def span_of_ids(file: pq.ParquetFile, number: int) -> tuple[str, str]:
    """Return the first and the last of the video ids of a row group, as its footer tells them."""
    column = [file.schema.column(k).path for k in range(len(file.schema))].index("video_id")
    told = file.metadata.row_group(number).column(column).statistics
    return told.min, told.max
