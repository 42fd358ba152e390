"""Media of clips that a dataset has already, so that another decision renders only what it changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.decision.decide import ClipPlan
from curation.rendering.render import RenderedBefore, RenderedSound, RenderedSpeech
from manifests.errors import DatasetError
from manifests.files.media import MediaError, sha256_of
from manifests.files.tar import MemberRange, read_member
from manifests.files.transcript import Transcript
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.clips import TRANSCRIPT_COLUMNS
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["COLUMNS", "rendered_before"]

_MEDIA = tuple(f"{kind}_{what}" for kind in ("mp4", "flac") for what in ("offset", "size", "sha256"))

_SPEECH = ("speech_encoder", "loudness_lufs_before", "loudness_lufs_after", "snr_db")

COLUMNS = (
    *("video_id", "clip_id", "tier", "sound_moved_s", "speech_features"),
    *(*_SPEECH, *TRANSCRIPT_COLUMNS, "media", *_MEDIA),
)
"""Columns of `clips` that are read."""


def rendered_before(
    dataset: Path, video_id: str, clips: pa.Table, plans: Sequence[ClipPlan], *, pictures: bool, sound: bool
) -> Mapping[ClipPlan, RenderedBefore]:
    """Return by planned clip what the dataset has of it; nothing of clips that it does not have.

    A clip has the same pictures as one of the same ticks, and the same sound if it is of the same tier and was moved by
    as much. Media that cannot be read, or have another checksum than the table says, are left out.

    Args:
        dataset: the folder.
        video_id: the video.
        clips: its rows, with `COLUMNS`.
        plans: the clips that are wanted.
        pictures: whether the pictures are to be taken over.
        sound: whether the sound is.
    """
    try:
        features = numpy_of(clips["speech_features"])
    except ValueError:  # arrays that are none
        return {}
    plain = clips.drop_columns(["speech_features"]).to_pylist()
    rows = {row["clip_id"]: (row, array) for row, array in zip(plain, features, strict=True)}
    found = {}
    for plan in plans:
        if (clip_id := plan.clip_id(video_id)) not in rows:
            continue
        row, array = rows[clip_id]
        moved = (row["sound_moved_s"] or 0.0) == plan.sound_lag_samples / AUDIO_RATE_HZ
        found[plan] = RenderedBefore(
            mp4=_content(dataset, row, "mp4") if pictures else None,
            sound=_sound(dataset, row, array) if sound and moved and row["tier"] == plan.tier else None,
        )
    return found


def _sound(
    dataset: Path, row: Mapping[str, Any], features: np.ndarray[Any, np.dtype[np.generic]] | None
) -> RenderedSound | None:
    flac = _content(dataset, row, "flac")
    if flac is None:  # a source without sound costs nothing to render
        return None
    if row["tier"] != "diffusion":
        return RenderedSound(flac=flac, speech=None)
    speech = RenderedSpeech(
        features=None if features is None else features.astype(np.float16),
        encoder=row["speech_encoder"],
        loudness_lufs_before=row["loudness_lufs_before"],
        loudness_lufs_after=row["loudness_lufs_after"],
        snr_db=row["snr_db"],
        transcript=Transcript.of_row(row),
    )
    return RenderedSound(flac=flac, speech=speech)


def _content(dataset: Path, row: Mapping[str, Any], kind: str) -> bytes | None:
    """Return the bytes of a clip's file; None where it has none, or they are not those that its row names."""
    if row[f"{kind}_offset"] is None or row[f"{kind}_size"] is None:
        return None
    try:
        where = MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
        content = read_member(dataset, row["media"], where)
    except (MediaError, DatasetError, ValueError):
        return None
    return content if sha256_of(content) == row[f"{kind}_sha256"] else None
