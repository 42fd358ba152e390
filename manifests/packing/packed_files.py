"""Inventory of a dataset's Parquet files: the videos in each file, and their sizes in bytes.

A worker writes one file per video. A packed file lists its videos in its footer, so that no row has to be read: the
leading bits of the ids, and for each video the size that its own file had.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from foundation.storage.arrow import open_parquet
from foundation.storage.parquet_bounds import schema_of
from manifests.errors import DatasetError, first_problem
from manifests.files.names import MediaName, Sha256, VideoId
from manifests.files.numbers import Count
from manifests.files.tables import in_schema, table_files
from manifests.files.tar import tar_bytes
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table

__all__ = ["PACKED", "PackedFacts", "TableFile", "sources_of", "stored_videos", "table_inventory", "videos_digest"]

PACKED = "part-"
"""Beginning of the names of packed files."""

_FACTS = b"gaia_packed"

_SIZES = ("mp4_size", "flac_size")

_JSON_BYTES = 2048
"""Room for the JSON file of a clip in a tar."""

_MEDIA_COLUMNS = ("video_id", "media", *_SIZES)

_MEDIA_SCHEMA = pa.schema([CLIPS.arrow_schema().field(name) for name in _MEDIA_COLUMNS])


class PackedFacts(BaseModel):
    """Metadata in the footer of a packed file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[str, StringConstraints(pattern="^[01]{0,192}$")]
    """Leading bits of the ids of its videos."""
    videos: Mapping[VideoId, tuple[Count, Count]]
    """By video id, bytes of the video's rows, and bytes of its clips in a tar."""
    media: tuple[MediaName, ...] = ()
    """Tars with its clips."""
    mute: tuple[VideoId, ...] = ()
    """Ids of the videos whose clips have no sound, sorted: their clips are in tars of their own."""
    tar_videos: Sha256 | None = None
    """`videos_digest` of all videos in the tar that was written with the file; None if none was written with it."""

    def footer(self) -> dict[str, str]:
        """Return the content as metadata of a Parquet file."""
        return {_FACTS.decode(): self.model_dump_json()}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFile:
    """Parquet file of a table."""

    path: Path
    name: str
    """Relative to the dataset."""
    facts: PackedFacts
    packed: bool
    """Whether it is a packed file; otherwise a worker wrote it."""


def videos_digest(video_ids: tuple[str, ...]) -> str:
    """Return a digest that identifies a set of videos."""
    return sha256("\n".join(sorted(video_ids)).encode()).hexdigest()


def table_inventory(dataset: Path, table: Table) -> list[TableFile]:
    """Return the files of a table, sorted by name.

    Raises:
        DatasetError: a file is damaged; the message names it.
    """
    return [_table_file(table, path) for path in table_files(dataset, table.name)]


def sources_of(files: Iterable[TableFile]) -> dict[str, TableFile]:
    """Return by video id the file with its rows; its own file takes precedence over a packed one."""
    ordered = sorted(files, key=lambda file: not file.packed)
    return {video_id: file for file in ordered for video_id in file.facts.videos}


def stored_videos(dataset: Path, table: Table) -> dict[str, bool]:
    """Return the ids of the videos with rows in a table, and for each whether the rows are in a packed file.

    Only packed files are opened: a file that a worker wrote is named after its video.

    Raises:
        DatasetError: a file is damaged; the message names it.
    """
    stored: dict[str, bool] = {}
    for path in table_files(dataset, table.name):
        if path.name.startswith(PACKED):
            stored.update(dict.fromkeys(_table_file(table, path).facts.videos, True))
        else:
            stored[path.stem] = False
    return stored


def _table_file(table: Table, path: Path) -> TableFile:
    try:
        with open_parquet(path) as file:
            footer = (file.metadata.metadata or {}).get(_FACTS)
            facts = _measured(file, table) if footer is None else PackedFacts.model_validate_json(footer)
    except ValidationError as error:
        raise DatasetError(
            f"{path}: it states what cannot be: {first_problem(error)}; restore it, or remove it: the same run then "
            "curates what was in it"
        ) from error
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise DatasetError(
            f"{path}: cannot be read: {error}; restore it, or remove it: the same run then curates what was in it"
        ) from error
    return TableFile(path=path, name=f"{table.name}/{path.name}", facts=facts, packed=footer is not None)


def _measured(file: pq.ParquetFile, table: Table) -> PackedFacts:
    """Return the content of a file that a worker wrote; several videos share its bytes by their numbers of rows."""
    sizes: Counter[str] = Counter()
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        n_bytes = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
        ids = _ids(file, number)
        for video_id, n_rows in ids.items():
            sizes[video_id] += n_bytes * n_rows // group.num_rows
    in_tars: Counter[str] = Counter()
    media: set[str] = set()
    heard: set[str] = set()
    rows = in_schema(file.read(columns=list(_MEDIA_COLUMNS)), _MEDIA_SCHEMA).to_pylist() if table is CLIPS else ()
    for row in rows:
        media.add(row["media"])
        in_tars[row["video_id"]] += _JSON_BYTES + sum(tar_bytes(row[name]) for name in _SIZES if row[name] is not None)
        if row["flac_size"] is not None:
            heard.add(row["video_id"])
    return PackedFacts(
        prefix="",
        videos={video_id: (size, in_tars[video_id]) for video_id, size in sorted(sizes.items())},
        media=tuple(sorted(media)),
        mute=tuple(sorted(in_tars.keys() - heard)),
    )


def _ids(file: pq.ParquetFile, number: int) -> Counter[str]:
    """Return the number of rows of each video in a row group; the footer is enough if there is one video."""
    group = file.metadata.row_group(number)
    lowest, highest = span_of_ids(file, number)
    if lowest == highest:
        return Counter({lowest: group.num_rows})
    return Counter(file.read_row_group(number, columns=["video_id"])["video_id"].to_pylist())


def span_of_ids(file: pq.ParquetFile, number: int) -> tuple[str, str]:
    """Return the lowest and the highest video id of a row group, from the footer.

    Raises:
        ValueError: there is no such column, or the footer does not say.
    """
    schema = schema_of(file.metadata)
    column = [schema.column(k).path for k in range(len(schema))].index("video_id")
    statistics = file.metadata.row_group(number).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        raise ValueError(f"the footer has no statistics of video_id in row group {number}")
    return statistics.min, statistics.max
