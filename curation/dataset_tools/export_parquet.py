"""Export with the media inside the rows: for Hugging Face's `datasets`, with splits of its own, and for Lance."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curation.dataset_tools.exported_clips import ExportedClip, clips_of
from foundation.errors import UsageError
from foundation.packages import MissingPackageError, install_command
from foundation.storage.atomic import replacing, write_bytes_atomic
from foundation.storage.locations import is_remote
from manifests.card.hugging_face import feature_of
from manifests.packing.clip_json import LOCATION_COLUMNS
from manifests.schema.clips import CLIPS
from manifests.vocabulary import SPLITS

__all__ = ["export_hugging_face", "export_lance"]

_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

_COLUMNS = tuple(column for column in CLIPS.columns if column.name not in LOCATION_COLUMNS)

_ROWS = 8
"""Rows of a row group: a clip has some MB."""


def export_hugging_face(dataset: Path, folder: Path, shard_bytes: int) -> int:
    """Write Parquet files per split, with video and sound as `datasets` decodes them, and return the number of clips.

    Args:
        dataset: the dataset.
        folder: an empty folder.
        shard_bytes: most that a file has before compression, unless one clip alone has more.

    Raises:
        DatasetError, MediaError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    schema = pa.schema([*(column.field for column in _COLUMNS), ("video", _MEDIA), ("audio", _MEDIA)])
    n_clips, splits = 0, []
    for split in SPLITS:
        n_files = 0
        for rows in _pieces(dataset, split, schema, shard_bytes):
            with replacing(folder / "data" / f"{split}-{n_files:05d}.parquet") as stream:
                pq.write_table(rows, stream, row_group_size=_ROWS, compression="zstd")
            n_clips += len(rows)
            n_files += 1
        if n_files:
            splits.append(split)
    features = [{"name": column.name, **feature_of(column.type)} for column in _COLUMNS]
    features += [{"name": "video", "dtype": "video"}, {"name": "audio", "dtype": "audio"}]
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits]
    content = {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": [{"config_name": "default", "features": features}],
    }
    front = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    text = f"---\n{front}---\n\nExported by gaia-curate; origin.json has settings, models and their licences.\n"
    write_bytes_atomic(folder / "README.md", text.encode())
    return n_clips


def _pieces(dataset: Path, split: str, schema: pa.Schema, most_bytes: int) -> Iterator[pa.Table]:
    rows: list[pa.Table] = []
    n_bytes = 0
    for clip in clips_of(dataset, split):
        row = _with_media(clip, schema)
        if rows and n_bytes + row.nbytes > most_bytes:
            yield pa.concat_tables(rows)
            rows, n_bytes = [], 0
        rows.append(row)
        n_bytes += row.nbytes
    if rows:
        yield pa.concat_tables(rows)


def _with_media(clip: ExportedClip, schema: pa.Schema) -> pa.Table:
    """Return a row with its media in it."""
    media: dict[str, Any] = {
        "video": {"bytes": clip.mp4, "path": f"{clip.facts['clip_id']}.mp4"},
        "audio": None if clip.flac is None else {"bytes": clip.flac, "path": f"{clip.facts['clip_id']}.flac"},
    }
    columns = [
        pa.array([media[field.name]], field.type) if field.name in media else clip.row[field.name] for field in schema
    ]
    return pa.table(columns, schema=schema)


def export_lance(dataset: Path, folder: Path) -> int:
    """Write a Lance dataset, `clips.lance`, with the media as columns `mp4` and `flac`, and return the number of clips.

    Args:
        dataset: the dataset.
        folder: an empty local folder.

    Raises:
        MissingPackageError: Lance is not installed.
        UsageError: the folder is not on this machine.
        DatasetError, MediaError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    if is_remote(folder):
        raise UsageError(f"--out {folder}: Lance's files are written to a local folder; copy them from there")
    try:
        import lance
    except ImportError as error:
        raise MissingPackageError(f"--to lance takes a package: {install_command('pylance')}") from error
    schema = pa.schema(
        [*(column.field for column in _COLUMNS), ("mp4", pa.large_binary()), ("flac", pa.large_binary())]
    )
    count = [0]

    def batches() -> Iterator[pa.RecordBatch]:
        for clip in clips_of(dataset):
            media = {"mp4": clip.mp4, "flac": clip.flac}
            columns = [
                pa.array([media[field.name]], field.type) if field.name in media else clip.row[field.name]
                for field in schema
            ]
            count[0] += 1
            yield from pa.table(columns, schema=schema).to_batches()

    lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), str(folder / "clips.lance"))
    return count[0]
