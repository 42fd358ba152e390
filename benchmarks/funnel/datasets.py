"""Two datasets of the same videos, compared clip by clip: rows and media."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["PLACES", "Difference", "compared", "kept_s", "phases_s"]

PLACES = ("media", "mp4_offset", "flac_offset")
"""Columns of clips that tell where the media lie: they depend on the other clips, and the bytes themselves are
compared. No column of clips has a version or a time."""

_TIMES = ("analyze_s", "decide_s", "render_s")

_FEATURES = "speech_features"


@dataclass(slots=True)
class Difference:
    """How the clips of a second dataset differ from those of a first one."""

    clips: tuple[int, int] = (0, 0)
    """How many there are in each."""
    missing: list[str] = field(default_factory=list)
    """Ids of clips that only the first has."""
    added: list[str] = field(default_factory=list)
    """Ids of clips that only the second has."""
    other_columns: list[str] = field(default_factory=list)
    """Columns that only one has: they are not compared."""
    columns: dict[str, int] = field(default_factory=dict)
    """By column, the clips that differ in it."""
    largest: dict[str, float] = field(default_factory=dict)
    """By column of numbers that differ, the largest difference."""
    rows: int = 0
    """Clips in both whose rows differ."""
    mp4: int = 0
    """Clips in both whose video has other bytes."""
    flac: int = 0
    """Clips in both whose sound has other bytes."""
    least_cosine: float = 1.0
    """The smallest cosine of the two speech features of one tick, over the clips in both."""

    @property
    def differing(self) -> int:
        """Number of clips that differ in any way."""
        return len(self.missing) + len(self.added) + max(self.rows, self.mp4, self.flac)


def compared(first: Path, second: Path, tier: str | None = None) -> Difference:
    """Compare two datasets.

    Args:
        first: folder of a dataset.
        second: folder of another one of the same videos.
        tier: clips of other tiers are left out; None: all are compared.
    """
    tables = [_clips(dataset, tier) for dataset in (first, second)]
    rows = [{str(row.as_py()): number for number, row in enumerate(table["clip_id"])} for table in tables]
    names = [set(table.column_names) for table in tables]
    found = Difference(
        clips=(len(rows[0]), len(rows[1])),
        missing=sorted(rows[0].keys() - rows[1].keys()),
        added=sorted(rows[1].keys() - rows[0].keys()),
        other_columns=sorted(names[0] ^ names[1]),
    )
    columns = sorted((names[0] & names[1]) - set(PLACES))
    for clip_id in sorted(rows[0].keys() & rows[1].keys()):
        pair = [table.slice(row[clip_id], 1) for table, row in zip(tables, rows, strict=True)]
        differing = [name for name in columns if not _same(pair, name)]
        found.rows += bool(differing)
        for name in differing:
            found.columns[name] = found.columns.get(name, 0) + 1
            found.largest[name] = max(found.largest.get(name, 0.0), _largest(pair, name))
        found.mp4 += _media(first, pair[0], "mp4") != _media(second, pair[1], "mp4")
        found.flac += _media(first, pair[0], "flac") != _media(second, pair[1], "flac")
        if _FEATURES in differing:
            found.least_cosine = min(found.least_cosine, _least_cosine(pair))
    found.largest = {name: value for name, value in found.largest.items() if not math.isnan(value)}
    return found


def _clips(dataset: Path, tier: str | None) -> pa.Table:
    tables = [pq.read_table(path) for path in sorted((dataset / "clips").glob("*.parquet"))]
    whole = pa.concat_tables(tables)
    return whole if tier is None else whole.filter(pc.equal(whole["tier"], tier))


def _numbers(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Return all numbers of a cell in a row; None where it holds none."""
    cell = table[name].combine_chunks()
    while pa.types.is_list(cell.type) or pa.types.is_fixed_size_list(cell.type):
        cell = cell.flatten()
    if not (pa.types.is_floating(cell.type) or pa.types.is_integer(cell.type)):
        return None
    return np.asarray(cell.to_numpy(zero_copy_only=False), np.float64)


def _same(pair: list[pa.Table], name: str) -> bool:
    """Return whether two cells are equal; NaN equals NaN."""
    cells = [table[name].combine_chunks() for table in pair]
    if cells[0].equals(cells[1]):
        return True
    one, other = (_numbers(table, name) for table in pair)
    return one is not None and other is not None and np.array_equal(one, other, equal_nan=True)


def _largest(pair: list[pa.Table], name: str) -> float:
    """Return the largest difference of two cells; NaN where they are not alike in kind and length."""
    one, other = (_numbers(table, name) for table in pair)
    if one is None or other is None or one.shape != other.shape or not len(one):
        return math.nan
    return float(np.nanmax(np.abs(one - other), initial=0.0))


def _least_cosine(pair: list[pa.Table]) -> float:
    """Return the smallest cosine of two speech features of one tick; -1 where their shapes differ."""
    one, other = (np.array(table[_FEATURES][0].as_py() or [[]], np.float64) for table in pair)
    if one.shape != other.shape:
        return -1.0
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.min((one * other).sum(axis=1) / np.maximum(lengths, 1e-12), initial=1.0))


def _media(dataset: Path, row: pa.Table, kind: str) -> bytes | None:
    """Return the bytes of a clip's video or sound as they lie in the tar."""
    offset, size = row[f"{kind}_offset"][0].as_py(), row[f"{kind}_size"][0].as_py()
    if offset is None:
        return None
    with (dataset / str(row["media"][0])).open("rb") as tar:
        tar.seek(offset)
        return tar.read(size)


def kept_s(dataset: Path) -> dict[str, float]:
    """Return the seconds of a dataset's videos, and those that are kept in each tier."""
    videos = pa.concat_tables([pq.read_table(path) for path in sorted((dataset / "videos").glob("*.parquet"))])
    names = {"raw": "duration_s", "diffusion": "kept_diffusion_s", "any": "kept_vae_s"}
    return {name: round(float(pc.sum(videos[column]).as_py() or 0), 1) for name, column in names.items()}


def phases_s(dataset: Path) -> dict[str, float]:
    """Return the seconds that the workers spent in each phase, over all videos."""
    videos = pa.concat_tables([pq.read_table(path) for path in sorted((dataset / "videos").glob("*.parquet"))])
    return {name: round(float(pc.sum(videos[name]).as_py() or 0), 1) for name in _TIMES}
