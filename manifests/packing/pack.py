"""Packing what workers wrote, small files per video, into few large ones; dropping what no record vouches for.

The result follows from the videos and their sizes alone: `prefix_tree` says which file a video lies in, rows
are in the order of the ids, and files are named by their content. So it does not show in how many runs, and after how
many interruptions, the videos came. `clips` with the media are packed while `frames` and `spans` are, for most of the
time goes into libraries that let other threads run. Of each, one file, or tar with the files that name it, is replaced
at a time, in one swap (`manifests.files.journal`); besides the dataset itself, the disk has to hold one of either.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from foundation.settings import Settings
from foundation.storage.atomic import replacing
from foundation.storage.locations import files_in
from manifests.files.journal import finish_swap, hidden_name, move_file, swap_files
from manifests.packing.packed_files import PACKED, PackedFacts, PartFile, part_files, sources_of, videos_digest
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


class StorageSettings(Settings):
    """How large the files of a dataset are. To change it packs the dataset anew, and nothing else."""

    part_mb: float = Field(default=256.0, ge=0.001, le=4096.0)
    """Most that a Parquet file holds, MB of compressed rows; a video that has more is a file of its own. Ours."""
    shard_gib: float = Field(default=1.0, ge=1e-5, le=64.0)
    """Most that a tar holds, GiB, likewise. Ours: what WebDataset's users take."""


def compact(dataset: Path, live: Collection[str], settings: StorageSettings) -> None:
    """Pack the tables `frames`, `spans` and `clips` and the media, and keep of them what belongs to `live` alone.

    A stopped call is finished by the next one. Where a video lies in a file of its own and in a packed one, its own
    counts: it was curated again.

    Args:
        dataset: the folder; nobody else writes to it meanwhile.
        live: ids of the videos that were curated.
        settings: how large files are.

    Raises:
        DatasetError: a file is damaged, or a tar does not hold what the rows say.
        OSError: a file cannot be read or written.
    """
    finish_swap(dataset)
    wanted = frozenset(live)
    one_swap = threading.Lock()

    def pack(*tables: Table) -> None:
        for table in tables:
            _Packing(dataset, table, settings, one_swap).pack(wanted)

    beside = _Beside(lambda: pack(FRAMES, SPANS))
    try:
        pack(CLIPS)
    except KeyboardInterrupt:
        raise
    except BaseException:
        beside.join()
        raise
    beside.result()
    named = {media for part in part_files(dataset, CLIPS) for media in part.facts.media}
    for path in files_in(dataset / "media", ".tar"):
        if f"media/{path.name}" not in named:
            path.unlink()
    for folder in (".", *TABLES, "media", "ledger"):
        for pattern in (".*.new", ".*.part"):  # halves of files, of a run that was stopped
            for path in (dataset / folder).glob(pattern):
                path.unlink()


@dataclass(frozen=True, slots=True)
class _Group:
    """What is replaced in one swap: a file of `frames` or `spans`; a tar with the files of `clips` that name it."""

    files: tuple[Leaf, ...]
    prefix: str
    """Bits that all ids begin with."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of all its videos, sorted."""
        return tuple(sorted(video for leaf in self.files for video in leaf.videos))

    @property
    def alone(self) -> str | None:
        """The video where there is but one: its files stay as, or become what, its worker writes."""
        return self.files[0].videos[0] if len(self.videos) == 1 else None


class _Packing:
    """One table at work."""

    def __init__(self, dataset: Path, table: Table, settings: StorageSettings, one_swap: threading.Lock) -> None:
        self._dataset, self._table, self._one_swap = dataset, table, one_swap
        self._part_limit, self._tar_limit = int(settings.part_mb * _MB), int(settings.shard_gib * _GIB)
        self._parts = {part.name: part for part in part_files(dataset, table)}

    def pack(self, live: frozenset[str]) -> None:
        """Bring the table into its packed form."""
        sources = self._sources(live)
        self._swap([], [name for name in self._parts if name not in {part.name for part in sources.values()}])
        groups = self._groups(sources)
        self._divide([leaf for group in groups for leaf in group.files], sources)
        sources = self._sources(live)
        for group in groups:
            own = {video: sources[video] for video in group.videos}
            parts = {part.name: part for part in own.values()}
            if not self._is_done(group, list(parts.values())):
                self._replace(group, own, parts)

    def _sources(self, live: frozenset[str]) -> dict[str, PartFile]:
        found = sources_of(self._parts.values())
        return {video: part for video, part in found.items() if video in live}

    def _groups(self, sources: Mapping[str, PartFile]) -> list[_Group]:
        rows = {video: part.facts.videos[video][0] for video, part in sources.items()}
        if self._table is not CLIPS:
            return [_Group((leaf,), leaf.prefix) for leaf in leaves(rows, self._part_limit)]
        tars = leaves({video: part.facts.videos[video][1] for video, part in sources.items()}, self._tar_limit)
        return [
            _Group(tuple(leaves({v: rows[v] for v in tar.videos}, self._part_limit, tar.prefix)), tar.prefix)
            for tar in tars
        ]

    def _divide(self, files: Sequence[Leaf], sources: Mapping[str, PartFile]) -> None:
        """Divide packed files that have grown into several, so that each lies in one of `files`."""
        parted: dict[str, list[Leaf]] = defaultdict(list)
        for leaf in files:
            own: dict[str, list[str]] = defaultdict(list)
            for video in leaf.videos:
                own[sources[video].name].append(video)
            for name, videos in own.items():
                parted[name].append(Leaf(leaf.prefix, tuple(videos)))
        for name, pieces in parted.items():
            if len(pieces) > 1:
                self._swap([self._write(piece, sources) for piece in pieces], [name])

    def _is_done(self, group: _Group, parts: Sequence[PartFile]) -> bool:
        """Say whether the files that there are hold what is wanted in the form that is wanted."""
        if group.alone is not None:
            return [part.packed for part in parts] == [False]
        there = {(part.facts.prefix, tuple(part.facts.videos), part.packed) for part in parts}
        tars = {(part.facts.tar_videos, len(part.facts.media)) for part in parts}
        wanted_tars = (videos_digest(group.videos), 1) if self._table is CLIPS else (None, 0)
        return there == {(leaf.prefix, leaf.videos, True) for leaf in group.files} and tars == {wanted_tars}

    def _replace(self, group: _Group, sources: Mapping[str, PartFile], parts: Mapping[str, PartFile]) -> None:
        shard = None
        if self._table is CLIPS:
            label = _label(group.prefix)
            shard = write_shard(self._dataset, label, group.videos, sources, name=group.alone)
        come = [self._write(leaf, sources, shard, group) for leaf in group.files]
        self._swap(come, parts)
        named = {tar for part in self._parts.values() for tar in part.facts.media}
        for tar in {tar for part in parts.values() for tar in part.facts.media} - named:
            (self._dataset / tar).unlink()

    def _write(
        self, leaf: Leaf, sources: Mapping[str, PartFile], shard: Shard | None = None, group: _Group | None = None
    ) -> PartFile:
        """Write a file under a hidden name, and return it with the name that it is to have.

        Args:
            leaf: the videos in it.
            sources: where their rows are.
            shard: the tar that their clips lie in from now on; None: the rows stay as they are.
            group: what the file belongs to; None: it is written on the way there.
        """
        own = {video: sources[video] for video in leaf.videos}
        alone = group is not None and group.alone is not None
        facts = PackedFacts(
            prefix="" if alone else leaf.prefix,
            videos={video: part.facts.videos[video] for video, part in own.items()},
            media=tuple(sorted({tar for part in own.values() for tar in part.facts.media}))
            if shard is None
            else (shard.media,),
            tar_videos=None if shard is None or group is None or alone else videos_digest(group.videos),
        )
        begun = self._dataset / hidden_name(f"{self._table.name}/{_label(leaf.prefix)}")
        with VideoRows(self._table, own) as rows, replacing(begun) as stream:
            digest = write_packed(stream, self._table, _pieces(rows, leaf, shard), {} if alone else facts.footer())
        label = leaf.videos[0] if alone else f"{_label(leaf.prefix)}-{digest[:12]}"
        name = f"{self._table.name}/{label}.parquet"
        move_file(begun, self._dataset / hidden_name(name))
        return PartFile(path=self._dataset / name, name=name, facts=facts, packed=not alone)

    def _swap(self, come: Sequence[PartFile], gone: Collection[str]) -> None:
        if come or gone:
            with self._one_swap:
                finish_swap(self._dataset)  # one that failed in the other thread: there is one journal
                swap_files(self._dataset, [part.name for part in come], gone)
            for name in gone:
                del self._parts[name]
            self._parts.update((part.name, part) for part in come)


class _Beside(threading.Thread):
    """Work in a thread of its own, which Ctrl-C does not wait for: a packing that is stopped is finished later."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do it, and keep what it raises."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - for `result`
            self._error = error

    def result(self) -> None:
        """Wait until it is done.

        Raises:
            BaseException: what the work raised.
        """
        self.join()
        if self._error is not None:
            raise self._error


def _pieces(rows: VideoRows, leaf: Leaf, shard: Shard | None) -> Iterator[pa.Table]:
    for video in leaf.videos:
        for piece in rows.of(video):
            yield piece if shard is None else moved(piece, shard)


def _label(prefix: str) -> str:
    return f"{PACKED}{prefix or 'all'}"
