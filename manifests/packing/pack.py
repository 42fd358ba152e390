"""Packing: merge the small files that workers write, one per video, into few large ones.

Rows and media of videos without a record are dropped. The result depends only on the videos and their sizes:
`prefix_tree` assigns videos to files, rows are in the order of the ids, and files are named by their content. The
number of runs and interruptions does not matter. `clips` and the media are packed in parallel with `frames` and
`spans`, since most of the time is spent in libraries that release the interpreter lock. One file, or one tar with the
files that refer to it, is replaced at a time, in one swap (`manifests.files.journal`), so the disk needs space for one
more of each.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from foundation.settings import Settings
from foundation.storage.atomic import replacing
from foundation.storage.leases import require_lease
from manifests.files.journal import finish_swap, hidden_name, move_file, swap_files
from manifests.files.names import file_in, files_of, folder_in, media_name
from manifests.packing.background import BackgroundTask
from manifests.packing.packed_files import PACKED, PackedFacts, TableFile, sources_of, table_inventory, videos_digest
from manifests.packing.prefix_tree import Leaf, leaves
from manifests.packing.rows import VideoRows, write_packed
from manifests.packing.shards import Shard, moved, write_shard
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES
from manifests.schema.videos import SPANS

__all__ = ["StorageSettings", "compact"]

_MB = 10**6

_GIB = 2**30

_MUTE = "mute-"
"""Kind of the files with clips of videos without sound."""

_PATIENCE_S = 4.0
"""Longest wait for the other thread after an error: it ends after the rows of the video that it reads."""


class StorageSettings(Settings):
    """Sizes of a dataset's files. A change packs the dataset anew, and has no other effect."""

    part_mb: float = Field(default=256.0, ge=0.001, le=4096.0)
    """Most that a Parquet file holds, MB of compressed rows; a video that has more is a file of its own. Ours."""
    shard_gib: float = Field(default=1.0, ge=1e-5, le=64.0)
    """Most that a tar holds, GiB, likewise. Ours: what WebDataset's users take."""


def compact(dataset: Path, live: Collection[str], settings: StorageSettings) -> None:
    """Pack the tables `frames`, `spans` and `clips` and the media, and drop what belongs to no video of `live`.

    An interrupted call is completed by the next one. If a video is in a file of its own and in a packed one, its own
    file is the newer one and takes precedence.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        live: ids of the curated videos.
        settings: sizes of the files.

    Raises:
        DatasetError: a file is damaged, or a tar does not match the rows.
        OSError: a file cannot be read or written.
    """
    finish_swap(dataset)
    curated = frozenset(live)
    one_swap = threading.Lock()
    failed = threading.Event()

    def pack(*tables: Table) -> set[str]:
        media: set[str] = set()
        try:
            for table in tables:
                packing = _Packing(dataset, table, settings, one_swap, failed)
                packing.pack(curated)
                media |= packing.media
        except BaseException:
            failed.set()
            raise
        return media

    background = BackgroundTask(lambda: pack(FRAMES, SPANS))
    try:
        media = pack(CLIPS)
        background.join()
    except BaseException:
        failed.set()
        raise
    finally:
        error = background.finish(_PATIENCE_S)
        if error is not None and not isinstance(error, _OtherThreadFailedError):
            raise error
    _remove_leftovers(dataset, media)


def _remove_leftovers(dataset: Path, media: Collection[str]) -> None:
    """Remove tars other than `media`, to which no row refers, and unfinished files of interrupted runs."""
    require_lease(dataset)
    for path in files_of(dataset, "media", ".tar"):
        if f"media/{path.name}" not in media:
            path.unlink()
    require_lease(dataset)
    for folder in (dataset, *(folder_in(dataset, name) for name in (*TABLES, "media", "ledger"))):
        for pattern in (".*.new", ".*.part"):
            for path in folder.glob(pattern):
                path.unlink()


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that one swap replaces: a file of `frames` or `spans`; a tar with the files of `clips` that refer to it."""

    files: tuple[Leaf, ...]
    prefix: str
    """Leading bits of all ids."""
    kind: str = ""
    """Beginning of the names of its files: of a tar without sound, `mute-`."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of all videos, sorted."""
        return tuple(sorted(video for leaf in self.files for video in leaf.videos))

    @property
    def alone(self) -> str | None:
        """Id of the video if there is only one: its files have the names and the content that its worker gives them."""
        return self.files[0].videos[0] if len(self.videos) == 1 else None


class _Packing:
    """Packing of one table."""

    def __init__(
        self,
        dataset: Path,
        table: Table,
        settings: StorageSettings,
        one_swap: threading.Lock,
        failed: threading.Event,
    ) -> None:
        self._dataset, self._table, self._one_swap, self._failed = dataset, table, one_swap, failed
        self._rows_limit, self._tar_limit = int(settings.part_mb * _MB), int(settings.shard_gib * _GIB)
        self._files = {file.name: file for file in table_inventory(dataset, table)}

    @property
    def media(self) -> set[str]:
        """Names of the tars that the rows refer to."""
        return {tar for file in self._files.values() for tar in file.facts.media}

    def pack(self, live: frozenset[str]) -> None:
        """Pack the table."""
        sources = self._sources(live)
        self._swap([], [name for name in self._files if name not in {file.name for file in sources.values()}])
        groups = self._groups(sources)
        self._divide([leaf for group in groups for leaf in group.files], sources)
        sources = self._sources(live)
        for group in groups:
            own = {video: sources[video] for video in group.videos}
            existing = {file.name: file for file in own.values()}
            if not self._is_done(group, list(existing.values())):
                self._replace(group, own, existing)

    def _sources(self, live: frozenset[str]) -> dict[str, TableFile]:
        found = sources_of(self._files.values())
        return {video: file for video, file in found.items() if video in live}

    def _groups(self, sources: Mapping[str, TableFile]) -> list[_Group]:
        rows = {video: file.facts.videos[video][0] for video, file in sources.items()}
        if self._table is not CLIPS:
            return [_Group((leaf,), leaf.prefix) for leaf in leaves(rows, self._rows_limit)]
        tar_bytes: dict[str, dict[str, int]] = {"": {}, _MUTE: {}}  # all samples of a tar have the same files
        for video, file in sources.items():
            tar_bytes[_MUTE if video in file.facts.mute else ""][video] = file.facts.videos[video][1]
        return [
            _Group(tuple(leaves({v: rows[v] for v in tar.videos}, self._rows_limit, tar.prefix)), tar.prefix, kind)
            for kind, sizes in tar_bytes.items()
            for tar in leaves(sizes, self._tar_limit)
        ]

    def _divide(self, files: Sequence[Leaf], sources: Mapping[str, TableFile]) -> None:
        """Divide existing files so that each belongs to a single one of `files`."""
        pieces_of: dict[str, list[Leaf]] = defaultdict(list)
        for leaf in files:
            own: dict[str, list[str]] = defaultdict(list)
            for video in leaf.videos:
                own[sources[video].name].append(video)
            for name, videos in own.items():
                pieces_of[name].append(Leaf(leaf.prefix, tuple(videos)))
        for name, pieces in pieces_of.items():
            if len(pieces) > 1:
                self._swap([self._write(piece, sources) for piece in pieces], [name])

    def _is_done(self, group: _Group, existing: Sequence[TableFile]) -> bool:
        """Return whether the existing files already are the packed files of the group."""
        if group.alone is not None:
            return [file.packed for file in existing] == [False]
        packed = {(file.facts.prefix, tuple(file.facts.videos), file.packed) for file in existing}
        tars = {(file.facts.tar_videos, len(file.facts.media)) for file in existing}
        expected_tars = (videos_digest(group.videos), 1) if self._table is CLIPS else (None, 0)
        return packed == {(leaf.prefix, leaf.videos, True) for leaf in group.files} and tars == {expected_tars}

    def _replace(self, group: _Group, sources: Mapping[str, TableFile], existing: Mapping[str, TableFile]) -> None:
        shard = None
        if self._table is CLIPS:
            label = _label(group.prefix, group.kind)
            shard = write_shard(self._dataset, label, group.videos, sources, name=group.alone)
        new = [self._write(leaf, sources, shard, group) for leaf in group.files]
        self._swap(new, existing)
        for tar in {tar for file in existing.values() for tar in file.facts.media} - self.media:
            file_in(self._dataset, media_name(tar)).unlink()

    def _write(
        self, leaf: Leaf, sources: Mapping[str, TableFile], shard: Shard | None = None, group: _Group | None = None
    ) -> TableFile:
        """Write a file under a hidden name, and return it with its final name.

        Args:
            leaf: the videos of the file.
            sources: by video id, the file with its rows.
            shard: the new tar of their clips; None leaves the rows unchanged.
            group: the group of the file; None for an intermediate file.
        """
        own = {video: sources[video] for video in leaf.videos}
        alone = group is not None and group.alone is not None
        facts = PackedFacts(
            prefix="" if alone else leaf.prefix,
            videos={video: file.facts.videos[video] for video, file in own.items()},
            media=tuple(sorted({tar for file in own.values() for tar in file.facts.media}))
            if shard is None
            else (shard.media,),
            mute=tuple(sorted(video for video, file in own.items() if video in file.facts.mute)),
            tar_videos=None if shard is None or group is None or alone else videos_digest(group.videos),
        )
        name_of_group = _label(leaf.prefix, "" if group is None else group.kind)
        begun = self._dataset / hidden_name(f"{self._table.name}/{name_of_group}")
        with VideoRows(self._table, own) as rows, replacing(begun) as stream:
            digest = write_packed(stream, self._table, self._pieces(rows, leaf, shard), {} if alone else facts.footer())
        label = leaf.videos[0] if alone else f"{name_of_group}-{digest[:12]}"
        name = f"{self._table.name}/{label}.parquet"
        move_file(begun, self._dataset / hidden_name(name))
        return TableFile(path=self._dataset / name, name=name, facts=facts, packed=not alone)

    def _swap(self, come: Sequence[TableFile], gone: Collection[str]) -> None:
        if come or gone:
            with self._one_swap:
                self._go_on()
                finish_swap(
                    self._dataset
                )  # complete one that failed in the other thread, since there is only one journal
                swap_files(self._dataset, [file.name for file in come], gone)
            for name in gone:
                del self._files[name]
            self._files.update((file.name, file) for file in come)

    def _pieces(self, rows: VideoRows, leaf: Leaf, shard: Shard | None) -> Iterator[pa.Table]:
        for video in leaf.videos:
            for piece in rows.of(video):
                self._go_on()
                yield piece if shard is None else moved(piece, shard)

    def _go_on(self) -> None:
        if self._failed.is_set():
            raise _OtherThreadFailedError


class _OtherThreadFailedError(Exception):
    """The other thread has failed, so that this one ends between two pieces, before it replaces anything."""


def _label(prefix: str, kind: str) -> str:
    return f"{PACKED}{kind}{prefix or 'all'}"
