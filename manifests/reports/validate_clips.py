"""Validation of single clips: bytes, frames, audio and arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from foundation.array_types import Float32Array
from foundation.text import count_text
from manifests.files.media import MediaError, read_audio, read_frames, sha256_of
from manifests.files.tar import MemberRange, member_name_at, read_member
from manifests.landmarks import landmark_scheme
from manifests.limits import MAX_CLIP_FRAMES
from manifests.schema.arrow_arrays import numpy_of
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK, TICK_RATE_HZ

__all__ = ["Problem", "clip_problems"]

_MIN_INSIDE = 0.8
"""Smallest share of landmarks inside the crop: a head may cross the border for a while, a wrong crop misses it."""

_RENDER_AGAIN = "remove this part's Parquet file and run the curation again to render it anew"

_ARRAYS = ("landmarks", "blendshapes", "pose_deg", "speech_features")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Problem of a dataset."""

    file: str
    """File or folder, relative to the dataset."""
    row: str
    """Id of the row; "" if the problem concerns the file."""
    what: str
    remedy: str
    """Action that solves the problem."""

    def __str__(self) -> str:
        return f"{self.file}: {f'{self.row}: ' if self.row else ''}{self.what}; {self.remedy}"


def clip_problems(dataset: Path, file: str, batch: pa.RecordBatch, clip_px: int) -> Iterator[Problem]:
    """Yield the problems of clips; a missing or damaged tar is a problem of each of its clips.

    Args:
        dataset: the folder.
        file: name of the file of table `clips`, relative to the folder.
        batch: rows of the file.
        clip_px: height and width of the clips, pixels.
    """
    arrays = {}
    for name in _ARRAYS:
        try:
            arrays[name] = numpy_of(batch.column(name))
        except ValueError as error:
            yield Problem(file=file, row="", what=f"column {name}: {error}", remedy=_RENDER_AGAIN)
    plain = batch.select([name for name in batch.schema.names if name not in _ARRAYS]).to_pylist()
    for number, row in enumerate(plain):
        if not 0 < row["n_frames"] <= MAX_CLIP_FRAMES:
            what = f"n_frames is {row['n_frames']:,}, clips have 1 to {MAX_CLIP_FRAMES:,} frames"
            yield Problem(file=file, row=row["clip_id"], what=what, remedy=_RENDER_AGAIN)
            continue
        found = [*_media(dataset, row, clip_px)]
        found += [text for name in arrays for text in _array(name, arrays[name][number], row["n_frames"])]
        if (points := arrays.get("landmarks", [None] * len(plain))[number]) is not None:
            found += _landmarks(points.astype(np.float32), row["landmark_scheme"], clip_px)
        found += _words(row)
        for what in found:
            yield Problem(file=file, row=row["clip_id"], what=what, remedy=_RENDER_AGAIN)


def _array(name: str, array: np.ndarray[Any, Any] | None, n_frames: int) -> Iterator[str]:
    if array is None:
        return
    if len(array) != n_frames:
        yield f"{name} has {count_text(len(array), 'row')}, the clip {count_text(n_frames, 'frame')}"
    if not np.isfinite(array).all():
        yield f"{name} holds numbers that are not finite"


def _words(row: Row) -> Iterator[str]:
    words = row.get("words") or ()
    if (words or row.get("language_detected")) and row.get("transcript") is None:
        yield "it has words or a language, and no transcript"
    length_s = float(row["n_frames"] / TICK_RATE_HZ)
    if late := [word["end_s"] for word in words if word["end_s"] is not None and not word["end_s"] <= length_s]:
        yield f"a word ends at {late[0]:g} s, the clip at {length_s:g} s"


def _landmarks(points_px: Float32Array, scheme: str, clip_px: int) -> Iterator[str]:
    """Yield the problems of (N, K, 2) landmarks in crop pixels."""
    try:
        expected = landmark_scheme(scheme).n_points
    except ValueError as error:
        yield str(error)
        return
    if points_px.shape[1] != expected:
        yield f"landmarks has {points_px.shape[1]} points a frame, {scheme} has {expected}"
    if not np.isfinite(points_px).all():
        return
    inside = float(((points_px >= 0) & (points_px <= clip_px)).all(axis=-1).mean()) if points_px.size else 1.0
    if inside < _MIN_INSIDE:
        yield f"only {inside:.0%} of the landmarks lie inside the crop of {clip_px} px"


def _media(dataset: Path, row: Row, clip_px: int) -> Iterator[str]:
    mp4, problem = _content(dataset, row, "mp4")
    yield from problem
    if mp4 is not None:
        yield from _video(mp4, row["n_frames"], clip_px)
    if row["flac_offset"] is None:
        if row["tier"] == "diffusion":
            yield "a clip of tier diffusion has no sound"
        return
    flac, problem = _content(dataset, row, "flac")
    yield from problem
    if flac is not None:
        yield from _audio(flac, row["n_frames"])


def _content(dataset: Path, row: Row, kind: str) -> tuple[bytes | None, list[str]]:
    """Return the bytes of a clip's file, or None, and the problems of the file."""
    if row[f"{kind}_size"] is None or row[f"{kind}_sha256"] is None:
        return None, [f"{kind}_size or {kind}_sha256 is null beside an offset"]
    expected = f"{row['clip_id']}.{kind}"
    try:
        where = MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
        content = read_member(dataset, row["media"], where)
        name = member_name_at(dataset, row["media"], where)
    except MediaError as error:
        return None, [f"{kind}: {error}"]
    if name != expected:
        found = "no member of the tar" if name is None else f"the member {name}"
        return None, [
            f"{kind}: the byte range {where.offset}+{where.size} of {row['media']} is {found}, not {expected}"
        ]
    if sha256_of(content) != row[f"{kind}_sha256"]:
        return None, [f"{kind}: the bytes of {expected} in {row['media']} do not have the sha256 that the row names"]
    return content, []


def _video(mp4: bytes, n_frames: int, clip_px: int) -> Iterator[str]:
    sizes: set[tuple[int, int]] = set()
    count = 0
    try:
        video = read_frames(mp4)
        if video.stated_frames != n_frames:  # told without decoding them all
            yield f"mp4 has {video.stated_frames} frames, the row says {n_frames}"
            return
        for frame in video.frames:
            sizes.add((frame.shape[1], frame.shape[0]))
            count += 1
    except MediaError as error:
        yield f"mp4: {error}"
        return
    if count != n_frames:
        yield f"mp4 has {count_text(count, 'frame')}, the row says {n_frames}"
    if video.rate_hz != TICK_RATE_HZ:
        yield f"mp4 has {video.rate_hz} frames per second, not {TICK_RATE_HZ}"
    if sizes - {(clip_px, clip_px)}:
        yield f"mp4 has frames of {sorted(sizes)} px, not {clip_px}x{clip_px}"


def _audio(flac: bytes, n_frames: int) -> Iterator[str]:
    try:
        samples, rate_hz = read_audio(flac)
    except MediaError as error:
        yield f"flac: {error}"
        return
    if rate_hz != AUDIO_RATE_HZ:
        yield f"flac has {rate_hz} samples per second, not {AUDIO_RATE_HZ}"
    if len(samples) != n_frames * SAMPLES_PER_TICK:
        needed = f"{count_text(n_frames, 'frame needs', 'frames need')} {n_frames * SAMPLES_PER_TICK:,}"
        yield f"flac has {count_text(len(samples), 'sample')}, {needed}"
