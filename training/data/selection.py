"""Selection of a dataset's clips by tier, split, source, hours and SQL.

A selection reads the scalars of the manifest; `training.data.clips` reads arrays and media when needed.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.array_types import BoolArray, Int64Array
from foundation.errors import UsageError
from foundation.storage.array_columns import array_kind, array_ranges
from foundation.storage.arrow import open_parquet
from foundation.storage.side_by_side import side_by_side
from foundation.text import count_text
from manifests.clip_size import clip_px
from manifests.errors import DatasetError
from manifests.files.cells import bad_cells
from manifests.files.tables import in_schema, table_files
from manifests.files.tar import MemberRange
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.record import read_dataset
from manifests.schema.clips import CLIPS
from manifests.timeline import TICK_RATE_HZ
from training.data.config import DataConfig
from training.data.fair_shares import hash_order, shared_out
from training.data.held_out_sources import learned_rows, require_known_sources
from training.data.rows import ClipRow, RowPlace

__all__ = ["ARRAYS", "ClipIndex", "DataConfig", "SelectionError", "located_again", "select_clips"]

_COLUMNS = (
    "clip_id",
    "video_id",
    "source",
    "speaker_id",
    "person_id",
    "tier",
    "split",
    "n_frames",
    "landmark_scheme",
    "speech_encoder",
    "instruction",
    "media",
    "mp4_offset",
    "mp4_size",
)

ARRAYS = ("landmarks", "pose_deg", "speech_features")
"""Columns of arrays that trainers read."""

_KINDS = tuple(array_kind(CLIPS.column(name).field) for name in ARRAYS)

_PLACES = ("file", "row_group", "row", *(f"{name}_{part}" for name in ARRAYS for part in ("start", "bytes")))
"""Columns of a selection that say where the arrays of a clip lie."""

_OF_ROW = ("clip_id", "n_frames", "media", "mp4_offset", "mp4_size", *_PLACES)
"""Columns of a selection that say where a clip lies."""

_WHERE = "SELECT clip_id FROM clips WHERE (\n{}\n)"

_READERS = 16
"""Files that are read at the same time: reading a remote one is mostly waiting."""

_FRAMES_PER_HOUR = float(TICK_RATE_HZ) * 3600.0


class SelectionError(UsageError):
    """No clips can be used, or the clips cannot be used together; the message has the reason and the remedy."""

    several_lines = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipIndex:
    """The clips of a selection in the order of their names, without their arrays."""

    dataset: Path
    files: tuple[Path, ...]
    """All Parquet files of the manifest."""
    rows: pa.Table
    """A row per clip: scalars of the manifest, and the positions of its arrays (`_PLACES`)."""
    landmark_scheme: str
    """That of all clips."""
    clip_px: int
    """Height and width of the frames of all clips, pixels, to which landmarks refer."""
    config: DataConfig
    left_out: tuple[str, ...] = ()
    """Sentences on clips that fulfil the conditions and were left out, with the setting that is the reason."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_frames(self) -> Int64Array:
        """(clips,) frames of each clip."""
        return np.asarray(self.rows["n_frames"].to_numpy(), dtype=np.int64)

    @property
    def hours(self) -> float:
        """Length of all clips together."""
        return float(self.n_frames.sum()) / _FRAMES_PER_HOUR

    @property
    def speech_encoder(self) -> str:
        """The encoder of the speech features of all clips.

        Raises:
            SelectionError: some have no features, or features of another encoder.
        """
        return _common_value(
            self.rows, "speech_encoder", "give clips of tier diffusion, or select one encoder with {where}"
        )

    def row(self, clip: int) -> ClipRow:
        """Return files and offsets of clip number `clip`."""
        values: dict[str, Any] = {name: self.rows[name][clip].as_py() for name in _OF_ROW}
        file = self.files[values["file"]]
        return ClipRow(
            clip_id=values["clip_id"],
            n_frames=values["n_frames"],
            media=values["media"],
            mp4=MemberRange(offset=values["mp4_offset"], size=values["mp4_size"]),
            file=file,
            arrays={
                name: RowPlace(
                    file, values["row_group"], values["row"], values[f"{name}_start"], values[f"{name}_bytes"]
                )
                for name in ARRAYS
            },
        )

    def has(self, clip: int) -> bool:
        """Return whether the dataset still has clip number `clip`; of a selection just made, it has all."""
        return bool(self.rows["clip_id"][clip].is_valid)


def select_clips(dataset: Path, config: DataConfig) -> ClipIndex:
    """Return the clips of `dataset` that fulfil `config`.

    Raises:
        DatasetError: `dataset` is no dataset, is damaged, or has another schema version.
        SelectionError: no clip is left, fewer hours are left than `hours_subset`, the SQL is wrong, or clips have
            landmarks of different schemes.
        HeldOutError: no clip has a source that `test_sources` names.
        ChangingDatasetError: a command has begun to remove clips from the dataset.
    """
    return in_one_state(dataset, lambda counted: _selected(dataset, config, counted))


def _selected(dataset: Path, config: DataConfig, counted: Counted) -> ClipIndex:
    record = read_dataset(dataset)
    files = tuple(table_files(dataset, "clips"))
    scalars = side_by_side(_scalars, enumerate(files), _READERS)
    rows = counted_rows(pa.concat_tables(scalars), counted) if scalars else None
    if not rows:
        raise SelectionError(f"{dataset} has no clips; `gaia-curate stats {dataset}` says why nothing was kept")
    require_known_sources(dataset, rows, config.test_sources)
    rows, held_out = learned_rows(_matching(dataset, rows, config), config.test_sources)
    if not len(rows):
        raise SelectionError(f"{dataset}: no clip is left to learn from: {held_out[0]}; name fewer sources")
    rows, left_out = shared_out(dataset, rows, config)
    rows = _hours(rows, config.hours_subset).sort_by("clip_id").combine_chunks()
    return ClipIndex(
        dataset=dataset,
        files=files,
        rows=rows,
        landmark_scheme=_common_value(rows, "landmark_scheme", "select one with {where}"),
        clip_px=clip_px(record),
        config=config,
        left_out=(*held_out, *left_out),
    )


def located_again(index: ClipIndex) -> ClipIndex:
    """Return the same clips in the same order where they are now: a command may have put them into other files.

    A clip that is not there any more, or whose name another one has, has nulls in its row.

    Raises:
        DatasetError: a file is damaged.
        ChangingDatasetError: a command has begun to remove clips from the dataset.
    """

    def read(counted: Counted) -> tuple[list[Path], pa.Table]:
        files = table_files(index.dataset, "clips")
        scalars = side_by_side(_scalars, enumerate(files), _READERS)
        rows = pa.concat_tables([index.rows.schema.empty_table(), *scalars])
        return files, counted_rows(rows, counted)

    files, rows = in_one_state(index.dataset, read)
    now = rows.take(pc.index_in(index.rows["clip_id"], value_set=rows["clip_id"].combine_chunks()))
    same = [pc.equal(now[name], index.rows[name]) for name in ("n_frames", "mp4_size")]
    names = pc.if_else(pc.fill_null(pc.and_(*same), False), now["clip_id"], pa.scalar(None, pa.string()))
    return replace(index, files=tuple(files), rows=now.set_column(0, "clip_id", names).combine_chunks())


def _scalars(numbered: tuple[int, Path]) -> pa.Table:
    """Return the scalar columns of a file of the manifest, with the position of each row in it."""
    number, file = numbered
    try:
        with open_parquet(file) as parquet:
            declared = pa.schema([CLIPS.arrow_schema().field(name) for name in _COLUMNS])
            rows = in_schema(parquet.read(columns=list(_COLUMNS)), declared)
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
            ranges = array_ranges(parquet.metadata, _KINDS)
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise DatasetError(
            f"{file}: cannot be read as a file of table clips: {error}; run the curation again"
        ) from error
    for wrong in bad_cells(CLIPS, rows):
        raise DatasetError(f"{file}: {wrong}; `gaia-curate validate` lists all that is wrong")
    group = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(size) for size in (*sizes, 0)])
    places = [np.full(len(rows), number), group, row, *np.repeat(ranges, sizes, axis=0).reshape(len(rows), -1).T]
    for name, values in zip(_PLACES, places, strict=True):
        rows = rows.append_column(name, pa.array(values, pa.int64()))
    return rows


def _matching(dataset: Path, rows: pa.Table, config: DataConfig) -> pa.Table:
    """Return the rows that pass all conditions but `hours_subset`."""
    conditions: list[tuple[str, str, tuple[str, ...]]] = [
        ("tiers", "tier", config.tiers),
        ("splits", "split", config.splits),
        ("sources", "source", config.sources),
    ]
    for setting, column, allowed in conditions:
        if not allowed:
            continue
        found = pc.unique(rows[column]).to_pylist()
        rows = rows.filter(pc.is_in(rows[column], pa.array(allowed, pa.string())))
        if not len(rows):
            raise SelectionError(
                f"{dataset}: no clip is left by data.{setting} {list(allowed)}: the clips have {column} "
                f"{', '.join(map(repr, sorted(found)))}; change data.{setting}"
            )
    if config.with_instruction:
        n_before = len(rows)
        rows = rows.filter(pc.is_valid(rows["instruction"]))
        if not len(rows):
            raise SelectionError(
                f"{dataset}: none of {n_before} clips has an instruction, by which text drives motion; bring them in "
                f"with `gaia-curate instructions {dataset} FILE.csv`"
            )
    if config.where is not None:
        n_before = len(rows)
        rows = rows.filter(pc.is_in(rows["clip_id"], _clips_where(dataset, config, config.where)))
        if not len(rows):
            raise SelectionError(
                f"{dataset}: none of {count_text(n_before, 'clip')} fulfils data.where {config.where!r}; change it, or "
                f"look at the columns that it names with `gaia-curate stats {dataset} --sql ...`"
            )
    return rows


def _clips_where(dataset: Path, config: DataConfig, where: str) -> pa.Array:
    from manifests.reports.queries import QueryError, QueryLimitError, QueryLimits, query  # loads DuckDB

    limits = QueryLimits(timeout_s=config.where_timeout_s, memory_gib=config.where_memory_gib)
    try:
        answer = query(dataset, _WHERE.format(where), limits)
    except QueryLimitError as error:
        raise SelectionError(f"data.where {where!r}: {error}") from error
    except QueryError as error:
        raise SelectionError(f"data.where {where!r} is no condition over clips: {error}") from error
    return pa.array([row[0] for row in answer.rows], pa.string())


def _hours(rows: pa.Table, hours: float | None) -> pa.Table:
    """Return the first rows, in the order of the hashes of their names, that add up to `hours`."""
    if hours is None:
        return rows
    order = np.array(hash_order(rows))
    length = np.cumsum(rows["n_frames"].to_numpy()[order]) / _FRAMES_PER_HOUR
    if length[-1] < hours:
        needed = math.floor(length[-1] * 1e4) / 1e4
        raise SelectionError(
            f"data.hours_subset is {hours:g} h, and the other conditions leave {length[-1]:.4f} h; give at most "
            f"{needed} h, or null for all"
        )
    enough: BoolArray = np.concatenate([[True], length[:-1] < hours])
    return rows.take(order[enough])


def _common_value(rows: pa.Table, column: str, remedy: str) -> str:
    """Return the value that all rows share in `column`.

    Raises:
        SelectionError: they have several values, or none; `remedy` says how to select one.
    """
    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(rows[column]).to_pylist()}
    if len(counts) == 1 and None not in counts:
        return cast("str", next(iter(counts)))
    listed = ", ".join(f"{n} with {'none' if name is None else repr(name)}" for name, n in counts.items())
    example = next((name for name in counts if name is not None), None)
    where = "data.where" if example is None else f"--set data.where=\"{column} = '{example}'\""
    raise SelectionError(
        f"the clips do not share one {column.replace('_', ' ')}: {listed}; a network is trained on one: "
        + remedy.format(where=where)
    )
