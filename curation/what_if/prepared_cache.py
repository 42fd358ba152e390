"""What was prepared of a dataset, kept in the user's own cache for later calls that vary the same settings.

A file is named by a digest of all that its content follows from: the settings that preparing takes, the source of the
program, and for each video the file of its evidence, by place on the disk, size and times of change. A file of a
dataset is never changed in place, so other evidence has another name. Nothing of it is read from the dataset's folder,
which may come from a stranger.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.decision.settings import RulesSettings
from curation.operations.read_evidence import n_ticks_of
from curation.output.ledger import VideoRecord
from curation.what_if.kept_sync import kept_sync, sync_of
from curation.what_if.prepared_batches import Batch, Plan
from curation.what_if.preparing import fixed_settings, measure_keys, preparation_of
from curation.what_if.tried_videos import TriedVideos
from foundation.array_types import BoolArray
from foundation.settings import settings_of
from foundation.storage.locations import is_remote
from foundation.storage.private_folder import new_private_file, private_folder
from manifests.packing.packed_files import TableFile
from manifests.vocabulary import TIERS

__all__ = ["PreparedCache"]

_KEPT_S = 30 * 24 * 3600
"""Time after which a file that no call has used is removed."""

_LEFT_BYTES = 2 << 30
"""Room that is left on the disk."""

_Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedCache:
    """Folder with what was prepared."""

    folder: Path

    def name_of(
        self, plan: Plan, before: RulesSettings, rows: Sequence[VideoRecord], files: Mapping[str, TableFile]
    ) -> str | None:
        """Return the name under which videos are kept; None where they are not: in a store, or without evidence.

        Args:
            plan: what is prepared.
            before: settings that the dataset was made with.
            rows: the videos.
            files: by video id, the file with the evidence.
        """
        videos: list[object] = []
        for row in rows:
            file = files.get(row.video_id)
            if file is None or is_remote(file.path):
                return None
            try:
                state = file.path.stat()
            except OSError:
                return None
            place = [state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
            videos.append([row.video_id, n_ticks_of(row), place])
        content = {
            "program": _program(),
            "kinds": [repr(preparation_of(one, plan.varied)) for one in plan.kinds],
            "varied": plan.varied,
            "fixed": fixed_settings(plan.kinds[0], plan.varied) if plan.kinds else None,
            "before": settings_of(before),
            "videos": videos,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()

    def load(self, name: str, plan: Plan) -> list[Batch] | None:
        """Return what is kept under a name; None without it, or where the file is damaged."""
        path = self.folder / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                batches = [_batch(arrays, f"{number}.", plan) for number in range(int(arrays["batches"][0]))]
            os.utime(path)
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
            return None
        return batches

    def store(self, name: str, batches: Sequence[Batch]) -> None:
        """Keep what was prepared, unless the disk is full."""
        arrays: _Arrays = {"batches": np.array([len(batches)])}
        for number, batch in enumerate(batches):
            arrays |= _arrays_of(batch, f"{number}.")
        if shutil.disk_usage(private_folder(self.folder)).free < _LEFT_BYTES + sum(a.nbytes for a in arrays.values()):
            return
        partial = self.folder / f"{name}.{os.getpid()}.partial"
        with contextlib.suppress(OSError):
            try:
                with os.fdopen(new_private_file(partial), "wb") as stream:
                    np.savez(stream, **arrays)  # type: ignore[arg-type] # its stubs take the names for options
                partial.rename(self.folder / f"{name}.npz")
            finally:
                partial.unlink(missing_ok=True)

    def remove_old(self) -> None:
        """Remove what no call has used for a month."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.suffix in (".npz", ".partial") and time.time() - path.stat().st_mtime > _KEPT_S:
                    path.unlink(missing_ok=True)


@cache
def _program() -> str:
    """Return a digest of the source from which preparing follows."""
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(__file__).parents[2]
    for package in ("curation", "foundation", "manifests"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _arrays_of(batch: Batch, prefix: str) -> _Arrays:
    arrays: _Arrays = {
        f"{prefix}first": np.array([batch.first]),
        f"{prefix}unmeasured": batch.unmeasured,
        f"{prefix}times": batch.times_prepared,
        f"{prefix}rows": np.array([len(batch.rows)]),
    }
    for number, (kinds, row) in enumerate(batch.rows):
        own = f"{prefix}{number}."
        arrays |= {
            f"{own}kinds": np.array(kinds),
            f"{own}number": row.number,
            f"{own}first_tick": row.first_tick,
            f"{own}ticks": np.array([len(row.inside)]),
            f"{own}inside": np.packbits(row.inside),
        }
        arrays |= {f"{own}sync.{name}": values for name, values in kept_sync(row).items()}
        for tier in TIERS:
            arrays |= {f"{own}passed.{tier}": np.packbits(row.passed[tier])}
            arrays |= {f"{own}breaks.{tier}": np.packbits(row.breaks[tier])}
        for place, measures in enumerate(row.measures.values()):
            for measure, values in measures.items():
                flags = values.dtype == np.bool_
                kept = np.packbits(np.asarray(values, dtype=np.bool_)) if flags else values
                arrays[f"{own}{'flags' if flags else 'values'}.{place}.{measure}"] = kept
    return arrays


def _batch(arrays: Mapping[str, npt.NDArray[np.generic]], prefix: str, plan: Plan) -> Batch:
    rows = [_row(arrays, f"{prefix}{number}.", plan) for number in range(int(arrays[f"{prefix}rows"][0]))]
    return Batch(
        first=int(arrays[f"{prefix}first"][0]),
        unmeasured=np.asarray(arrays[f"{prefix}unmeasured"], dtype=np.bool_),
        times_prepared=np.asarray(arrays[f"{prefix}times"], dtype=np.int64),
        rows=tuple(rows),
    )


def _row(arrays: Mapping[str, npt.NDArray[np.generic]], own: str, plan: Plan) -> tuple[tuple[int, ...], TriedVideos]:
    n_ticks = int(arrays[f"{own}ticks"][0])

    def flags(name: str) -> BoolArray:
        return np.unpackbits(np.asarray(arrays[f"{own}{name}"], dtype=np.uint8), count=n_ticks).view(np.bool_)

    kinds = tuple(np.asarray(arrays[f"{own}kinds"], dtype=np.int64).tolist())
    number = np.asarray(arrays[f"{own}number"], dtype=np.int64)
    keys = measure_keys(plan.varied, [plan.kinds[kind] for kind in kinds])
    row = TriedVideos(
        number=number,
        first_tick=np.asarray(arrays[f"{own}first_tick"], dtype=np.int64),
        inside=flags("inside"),
        passed={tier: flags(f"passed.{tier}") for tier in TIERS},
        breaks={tier: flags(f"breaks.{tier}") for tier in TIERS},
        measures={
            key: {
                measure: flags(f"flags.{place}.{measure}")
                if is_flags
                else np.asarray(arrays[f"{own}values.{place}.{measure}"], dtype=np.float32)
                for is_flags, measure in _measures(arrays, own, place)
            }
            for place, key in enumerate(keys)
        },
        sync=sync_of({name: arrays[f"{own}sync.{name}"] for name in _names(arrays, f"{own}sync.")}, len(number)),
    )
    return kinds, row


def _measures(arrays: Mapping[str, npt.NDArray[np.generic]], own: str, place: int) -> Iterator[tuple[bool, str]]:
    """Yield, of a measured rule, whether a measure is one of flags, and its name."""
    for kind in ("flags", "values"):
        yield from ((kind == "flags", name) for name in _names(arrays, f"{own}{kind}.{place}."))


def _names(arrays: Mapping[str, npt.NDArray[np.generic]], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in arrays if name.startswith(prefix)]
