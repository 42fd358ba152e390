"""What a dataset holds of a video that an earlier run has curated: its evidence, and its clips with their media."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decision.decide import ClipPlan
from curation.evidence.measures import AudioEvidence, FaceMeasures
from curation.rendering.crop import Crop
from curation.rendering.render import ClipEvidence, RenderedClip, RenderedSpeech
from foundation.array_types import Float32Array
from manifests.errors import MediaError
from manifests.files.tar import MemberRange, read_member
from manifests.files.transcript import Transcript
from manifests.packing.packed_files import TableFile, sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["StoredVideos"]

_SOUND = ("video_id", "tick", "speech_prob", "loudness_dbfs")

_FACE = ("video_id", "tick", "track_id", "box")
"""Columns by which a clip is known to show the same main face as before."""


class StoredVideos:
    """The curated videos of a dataset, as they were when they were first asked for."""

    def __init__(self, dataset: Path) -> None:
        """Remember the folder; nothing is read yet."""
        self._dataset = dataset

    @cached_property
    def _frames(self) -> dict[str, TableFile]:
        return sources_of(table_inventory(self._dataset, FRAMES))

    @cached_property
    def _clips(self) -> dict[str, TableFile]:
        return sources_of(table_inventory(self._dataset, CLIPS))

    def has_evidence(self, video_id: str) -> bool:
        """Return whether there are rows of `frames`."""
        return video_id in self._frames

    def lacks_ticks(self, video_id: str) -> bool:
        """Return whether some of its ticks were not measured.

        Raises:
            DatasetError, OSError: a file is damaged, or cannot be read.
        """
        pieces = _rows_of(FRAMES, self._frames, video_id, ("video_id", "measured"))
        return any(not pc.all(pc.fill_null(rows["measured"], True)).as_py() for rows in pieces)

    def frames(self, video_id: str) -> Iterator[pa.Table]:
        """Yield the rows of `frames` of a video in order, in pieces.

        Raises:
            DatasetError, OSError: a file is damaged, or cannot be read.
        """
        return _rows_of(FRAMES, self._frames, video_id)

    def sound(self, video_id: str) -> AudioEvidence:
        """Return the evidence from the sound of the ticks that have a row.

        Raises:
            DatasetError, OSError: a file is damaged, or cannot be read.
        """
        rows = pa.concat_tables(_rows_of(FRAMES, self._frames, video_id, _SOUND))
        speech_prob, loudness_dbfs = (
            None if rows[name].null_count else rows[name].to_numpy().astype(np.float32) for name in _SOUND[2:]
        )
        return AudioEvidence(speech_prob=speech_prob, loudness_dbfs=loudness_dbfs)

    def clips(self, video_id: str, planned: Sequence[ClipEvidence]) -> dict[ClipPlan, RenderedClip]:
        """Return the clips that are there already: of the same ticks, tier, face and sound, with media that is whole.

        Args:
            video_id: the video.
            planned: clips to look for, with their main faces.

        Raises:
            DatasetError, OSError: a table is damaged, or cannot be read.
        """
        rows = pa.concat_tables([CLIPS.arrow_schema().empty_table(), *_rows_of(CLIPS, self._clips, video_id)])
        number_of = {clip_id: number for number, clip_id in enumerate(rows["clip_id"].to_pylist())}
        main = pa.concat_tables([*_rows_of(FRAMES, self._frames, video_id, _FACE)])
        found = {}
        for plan, face in ((clip.plan, clip.face) for clip in planned):
            number = number_of.get(plan.clip_id(video_id))
            row = None if number is None else rows.slice(number, 1)
            if row is not None and _is_same(row, plan) and _shows(main, plan, face):
                clip = self._rendered(row, plan)
                if clip is not None:
                    found[plan] = clip
        return found

    def _rendered(self, row: pa.Table, plan: ClipPlan) -> RenderedClip | None:
        """Return a clip with its media; None where the media cannot be read."""
        (facts,) = row.select(CLIPS.scalars()).to_pylist()
        landmarks, blendshapes, pose, identity = (_array(row, name) for name in _ARRAYS)
        try:
            mp4, flac = (self._member(facts, kind) for kind in ("mp4", "flac"))
        except MediaError:
            return None
        if mp4 is None or landmarks is None or pose is None:
            return None
        clip = RenderedClip(
            plan=plan,
            crop=Crop(x0_px=int(facts["crop_x0"]), y0_px=int(facts["crop_y0"]), size_px=int(facts["crop_size"])),
            mp4=mp4,
            flac=flac,
            landmarks_px=landmarks,
            blendshapes=blendshapes,
            pose_deg=pose,
            frontal_angle_mean_deg=facts["frontal_angle_mean"],
            frontal_angle_std_deg=facts["frontal_angle_std"],
            max_step=facts["max_step"],
            mask_prob_max=facts["mask_prob_max"],
            sharpness_mean=facts["sharpness_mean"],
            speech_ratio=facts["speech_ratio"],
            identity=identity,
            speech=_speech(row, facts) if plan.tier == "diffusion" else None,
        )
        same = (clip.mp4_sha256, clip.flac_sha256) == (facts["mp4_sha256"], facts["flac_sha256"])
        return clip if same else None

    def _member(self, facts: Mapping[str, Any], kind: str) -> bytes | None:
        if facts[f"{kind}_offset"] is None:
            return None
        where = MemberRange(offset=facts[f"{kind}_offset"], size=facts[f"{kind}_size"])
        return read_member(self._dataset, facts["media"], where)


_ARRAYS = ("landmarks", "blendshapes", "pose_deg", "identity")


def _rows_of(
    table: Table, sources: Mapping[str, TableFile], video_id: str, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    own = {video_id: sources[video_id]} if video_id in sources else {}
    with VideoRows(table, own, columns) as rows:
        yield from rows.of(video_id)


def _is_same(row: pa.Table, plan: ClipPlan) -> bool:
    """Return whether a clip was cut as it is planned: its ticks, its tier, and its sound at the same place."""
    first = round(row["start_s"][0].as_py() * TICK_RATE_HZ)
    moved_s = row["sound_moved_s"][0].as_py() or 0.0
    same_sound = round(moved_s * 16_000) == plan.sound_lag_samples
    return (first, row["n_frames"][0].as_py(), row["tier"][0].as_py(), same_sound) == (
        plan.first_tick,
        plan.n_ticks,
        plan.tier,
        True,
    )


def _shows(main: pa.Table, plan: ClipPlan, face: FaceMeasures) -> bool:
    """Return whether the main face of a clip is the one that it was before.

    Args:
        main: rows of `frames` of the video as they were.
        plan: the clip.
        face: (N, ...) its main face now.
    """
    ticks = main["tick"].to_numpy()
    before = main.filter(pa.array((ticks >= plan.first_tick) & (ticks < plan.end_tick)))
    if len(before) != plan.n_ticks or before["track_id"].null_count:
        return False
    boxes = np.array(numpy_of(before["box"]), dtype=np.float32)
    return np.array_equal(boxes, face.box_px)


def _array(row: pa.Table, name: str) -> Float32Array | None:
    array = numpy_of(row[name])[0]
    return None if array is None else array.astype(np.float32)


def _speech(row: pa.Table, facts: Mapping[str, Any]) -> RenderedSpeech:
    features = numpy_of(row["speech_features"])[0]
    return RenderedSpeech(
        features=None if features is None else features.astype(np.float16),
        encoder=facts["speech_encoder"],
        loudness_lufs_before=facts["loudness_lufs_before"],
        loudness_lufs_after=facts["loudness_lufs_after"],
        snr_db=facts["snr_db"],
        transcript=Transcript.of_row({**facts, "words": row["words"][0].as_py()}),
    )
