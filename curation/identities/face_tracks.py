"""Face tracks of a dataset: the mean descriptor of each, and which faces were seen at once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.identities.clustering import unit
from curation.identities.links import Pair
from foundation.array_types import Float32Array, Int64Array
from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.frames import FRAMES

__all__ = ["FaceTracks", "read_face_tracks"]

_COLUMNS = (
    "video_id",
    "tick",
    "track_id",
    "descriptor",
    "other_faces.list.element.track_id",
    "other_faces.list.element.descriptor",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceTracks:
    """N face tracks that have a descriptor, ordered by video and number."""

    video_id: tuple[str, ...]
    track_id: Int64Array
    """(N,) as in `frames`."""
    first_tick: Int64Array
    """(N,) tick of the first descriptor."""
    last_tick: Int64Array
    """(N,) tick of the last one, inclusive."""
    n_descriptors: Int64Array
    """(N,) descriptors of the track."""
    descriptor: Float32Array
    """(N, D) mean of the descriptors, length 1."""
    length: float
    """Median length of the descriptors before they were scaled."""
    at_once: frozenset[Pair]
    """Pairs of tracks that were seen on one tick, the lower number first."""

    def __len__(self) -> int:
        return len(self.video_id)

    @property
    def numbers(self) -> dict[tuple[str, int], int]:
        """By video id and track id, the number of the track."""
        return {key: number for number, key in enumerate(zip(self.video_id, self.track_id.tolist(), strict=True))}


def read_face_tracks(dataset: Path) -> FaceTracks:
    """Read the face tracks of a dataset from its evidence, one group of rows at a time.

    Raises:
        DatasetError: the evidence is damaged, or its descriptors differ in length.
        OSError: a file cannot be read.
    """
    parts: list[_Faces] = []
    seen: set[tuple[str, int, int]] = set()
    sources = sources_of(table_inventory(dataset, FRAMES))
    for file in table_inventory(dataset, FRAMES):
        own = pa.array(sorted(video for video in file.facts.videos if sources[video] == file), pa.string())
        try:
            for rows in _row_groups(file.path):
                faces, row = _faces(rows.filter(pc.is_in(rows["video_id"], value_set=own)))
                parts.append(faces.summed())
                seen |= faces.at_once(row)
            parts = [_Faces.joined(parts).summed()]
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise DatasetError(
                f"{file.path}: its descriptors cannot be read: {error}; run the curation again"
            ) from error
    return _Faces.joined(parts).tracks(seen)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Faces:
    """R faces with their descriptors, or sums over the faces of tracks."""

    video_id: pa.Array
    track_id: Int64Array
    first_tick: Int64Array
    last_tick: Int64Array
    count: Int64Array
    lengths: Float32Array
    """Sums of the lengths of the descriptors."""
    descriptor: Float32Array
    """(R, D) sums of descriptors of length 1."""

    @classmethod
    def joined(cls, parts: "Sequence[_Faces]") -> "_Faces":
        """Return the rows of all parts."""
        full = [part for part in parts if len(part.track_id)] or list(parts[:1]) or [_NO_FACES]
        columns = [[getattr(part, name) for part in full] for name in _NUMBERS]
        numbers = {name: np.concatenate(column) for name, column in zip(_NUMBERS, columns, strict=True)}
        return cls(video_id=pa.concat_arrays([part.video_id for part in full]), **numbers)

    def summed(self) -> "_Faces":
        """Return one row for each track, ordered by video and number."""
        videos = self.video_id.dictionary_encode()
        names = sorted(videos.dictionary.to_pylist())
        rank = (
            np.argsort(np.argsort(np.array(videos.dictionary.to_pylist(), object))) if names else np.zeros(0, np.int64)
        )
        code = rank[videos.indices.to_numpy(zero_copy_only=False)]
        order = np.lexsort((self.track_id, code))
        code, track = code[order], self.track_id[order]
        starts = np.flatnonzero((np.diff(code, prepend=-1) != 0) | (np.diff(track, prepend=-1) != 0))
        if not len(starts):
            return self
        return _Faces(
            video_id=pa.array(names, pa.string()).take(pa.array(code[starts])),
            track_id=track[starts],
            first_tick=np.minimum.reduceat(self.first_tick[order], starts),
            last_tick=np.maximum.reduceat(self.last_tick[order], starts),
            count=np.add.reduceat(self.count[order], starts),
            lengths=np.add.reduceat(self.lengths[order], starts),
            descriptor=np.add.reduceat(self.descriptor[order], starts, axis=0),
        )

    def at_once(self, row: Int64Array) -> set[tuple[str, int, int]]:
        """Return the tracks that share a row of `frames`: video, lower number, higher number.

        Args:
            row: (R,) the row of each face, in ascending order.
        """
        shared = np.flatnonzero(np.bincount(row)[row] > 1) if len(row) else row
        videos = self.video_id.take(pa.array(shared)).to_pylist()
        on_row: dict[int, list[int]] = defaultdict(list)
        video_of: dict[int, str] = {}
        for number, track, video in zip(row[shared].tolist(), self.track_id[shared].tolist(), videos, strict=True):
            on_row[number].append(track)
            video_of[number] = video
        return {
            (video_of[number], low, high)
            for number, tracks in on_row.items()
            for low, high in combinations(sorted(set(tracks)), 2)
        }

    def tracks(self, seen: set[tuple[str, int, int]]) -> FaceTracks:
        """Return the tracks of rows that are one each."""
        videos = tuple(self.video_id.to_pylist())
        numbers = {key: number for number, key in enumerate(zip(videos, self.track_id.tolist(), strict=True))}
        return FaceTracks(
            video_id=videos,
            track_id=self.track_id,
            first_tick=self.first_tick,
            last_tick=self.last_tick,
            n_descriptors=self.count,
            descriptor=unit(self.descriptor),
            length=float(np.median(self.lengths / self.count)) if videos else 1.0,
            at_once=frozenset((numbers[video, low], numbers[video, high]) for video, low, high in seen),
        )


_NUMBERS = ("track_id", "first_tick", "last_tick", "count", "lengths", "descriptor")

_NONE = np.zeros(0, dtype=np.int64)

_NO_FACES = _Faces(
    video_id=pa.array([], pa.string()),
    track_id=_NONE,
    first_tick=_NONE,
    last_tick=_NONE,
    count=_NONE,
    lengths=np.zeros(0, dtype=np.float32),
    descriptor=np.zeros((0, 0), dtype=np.float32),
)


def _row_groups(path: Path) -> Iterator[pa.Table]:
    with open_parquet(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=list(_COLUMNS), use_threads=False)


def _faces(rows: pa.Table) -> tuple[_Faces, Int64Array]:
    """Return the faces of rows of `frames` that have a track and a descriptor, and the row of each, ascending."""
    others = rows["other_faces"].combine_chunks()
    others = others.chunk(0) if isinstance(others, pa.ChunkedArray) and others.num_chunks else others
    if isinstance(others, pa.ChunkedArray):
        return _NO_FACES, _NONE
    inside = others.flatten()
    main = np.arange(len(rows))
    row = np.concatenate([main, np.asarray(pc.list_parent_indices(others), np.int64)])
    tracks = [rows["track_id"].combine_chunks(), inside.field("track_id")]
    lists = [rows["descriptor"].combine_chunks(), inside.field("descriptor")]
    described, vectors, track = [], [], []
    for part, (track_id, listed) in enumerate(zip(tracks, lists, strict=True)):
        one = track_id.chunk(0) if isinstance(track_id, pa.ChunkedArray) else track_id
        two = listed.chunk(0) if isinstance(listed, pa.ChunkedArray) else listed
        known = pc.and_(pc.is_valid(one), pc.is_valid(two))
        numbers = np.flatnonzero(known.to_numpy(zero_copy_only=False))
        described.append(numbers + part * len(rows))
        vectors += [two.filter(known)]
        track.append(one.filter(known).to_numpy(zero_copy_only=False).astype(np.int64))
    block = _block(vectors)
    row, track_ids = row[np.concatenate(described)], np.concatenate(track)
    finite = np.isfinite(block).all(axis=1)
    order = np.flatnonzero(finite)[np.argsort(row[finite], kind="stable")]
    row, block = row[order], block[order]
    tick = rows["tick"].to_numpy().astype(np.int64)[row]
    faces = _Faces(
        video_id=rows["video_id"].combine_chunks().take(pa.array(row)),
        track_id=track_ids[order],
        first_tick=tick,
        last_tick=tick,
        count=np.ones(len(row), dtype=np.int64),
        lengths=np.linalg.norm(block, axis=1).astype(np.float32),
        descriptor=unit(block),
    )
    return faces, row


def _block(lists: Sequence[pa.ListArray]) -> Float32Array:
    """Return (R, D) the vectors of all lists.

    Raises:
        ValueError: they differ in length.
    """
    arrays = [array for column in lists for array in numpy_of(column) if array is not None]
    if not arrays:
        return np.zeros((0, 0), dtype=np.float32)
    if len({len(array) for array in arrays}) > 1:
        raise ValueError("its descriptors differ in length")
    return np.stack(arrays).astype(np.float32)
