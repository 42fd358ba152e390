"""Export as WebDataset shards: each split in tars of its own, the arrays of a clip as .npy files beside its media."""

import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from curation.dataset_tools.exported_clips import ExportedClip, clips_of
from foundation.storage.atomic import replacing
from manifests.files.tar import TarWriter, tar_bytes

__all__ = ["export_webdataset"]


def export_webdataset(dataset: Path, folder: Path, shard_bytes: int) -> int:
    """Write the shards and return the number of clips.

    All samples of a shard have the same files: tiers, and clips without sound, lie in shards of their own.

    Args:
        dataset: the dataset.
        folder: an empty folder.
        shard_bytes: most that a shard has, unless one clip alone has more.

    Raises:
        DatasetError, MediaError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    n_clips = 0
    with _Shards(folder, shard_bytes) as shards:
        for clip in clips_of(dataset):
            kind = f"{clip.facts['split']}-{clip.facts['tier']}{'' if clip.flac else '-mute'}"
            shards.add(kind, str(clip.facts["clip_id"]), dict(_files(clip)))
            n_clips += 1
    return n_clips


def _files(clip: ExportedClip) -> Iterator[tuple[str, bytes]]:
    """Yield suffix and content of each file of a clip."""
    yield "mp4", clip.mp4
    if clip.flac is not None:
        yield "flac", clip.flac
    facts = {name: _plain(value) for name, value in clip.facts.items()}
    yield "json", json.dumps(facts, ensure_ascii=False, allow_nan=False).encode()
    for name, array in clip.arrays.items():
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        yield f"{name}.npy", stream.getvalue()


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell of any scalar column
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(slots=True)
class _Shard:
    """An open tar."""

    files: ExitStack
    """Ends it, so that it appears under its name."""
    tar: TarWriter
    n_bytes: int = 0


class _Shards:
    """Open tars, one of each kind; a tar appears once it is complete."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._open: dict[str, _Shard] = {}
        self._numbers: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for shard in self._open.values():
            if error is None:
                shard.tar.close()
            shard.files.__exit__(kind, error, trace)

    def add(self, kind: str, key: str, files: Mapping[str, bytes]) -> None:
        """Append a sample to a tar of its kind."""
        size = sum(tar_bytes(len(content)) for content in files.values())
        if kind in self._open and self._open[kind].n_bytes + size > self._most:
            full = self._open.pop(kind)
            full.tar.close()
            full.files.close()
        if kind not in self._open:
            stack = ExitStack()
            stream = stack.enter_context(replacing(self._folder / f"{kind}-{self._numbers[kind]:05d}.tar"))
            self._numbers[kind] += 1
            self._open[kind] = _Shard(stack, TarWriter(stream))
        for suffix, content in files.items():
            self._open[kind].tar.add(f"{key}.{suffix}", len(content), [content])
        self._open[kind].n_bytes += size
