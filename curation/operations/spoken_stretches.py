"""The stretches of a dataset from which the agreement of lips and sound can be learnt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.analysis.speaking_track import heard_by_number
from curation.media.audio import tick_audio
from curation.media.decoders import probe_for
from curation.media.errors import MediaError
from curation.operations.work import unchanged_source
from curation.output.folder import DatasetFolder
from curation.output.frame_rows import stored_face
from curation.output.ledger import VideoRecord
from curation.perception.sync.fitting.stretches import SpokenStretch
from curation.perception.sync.mouth import mouth_lengths
from curation.settings import CurationSettings
from curation.sources.entries import SourceError
from curation.sources.scratch import ScratchSettings, readable
from curation.speech.whisper import WhisperTinyEncoder
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.schema.frames import FRAMES
from manifests.timeline import TickRange

__all__ = ["Gathered", "gather_stretches"]

_LEAST_TICKS = 60

_LEAST_WIDTH_PX = 56.0
"""Narrower faces have too few pixels on the lips."""

_LARGEST_YAW_DEG = 50.0

_COVERED_PROB = 0.5

_SPEECH_PROB, _LEAST_SPEECH = 0.5, 0.4
"""Silero's probability of speech, and the share of ticks that have to reach it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What a dataset has to learn from."""

    stretches: tuple[SpokenStretch, ...]
    left_out: tuple[str, ...]
    """Videos whose source could not be read, each with the reason."""


def gather_stretches(
    folder: DatasetFolder,
    encoder: WhisperTinyEncoder,
    scratch: ScratchSettings,
    on_video: Callable[[int, int], None] = lambda _done, _all: None,
) -> Gathered:
    """Return the stretches of a dataset's main faces that speak, with the sound of their sources.

    Args:
        folder: the dataset; its evidence holds landmarks and blendshapes.
        encoder: encodes the sound.
        scratch: where remote sources are copied to.
        on_video: is told how many videos are done, of how many.

    Raises:
        DatasetError: a file of the dataset is damaged.
        OSError: the dataset cannot be read.
    """
    videos = [row for row in folder.rows() if row.status == "ok" and row.duplicate_of is None and row.has_audio]
    stretches: list[SpokenStretch] = []
    left_out: list[str] = []
    with VideoRows(FRAMES, sources_of(table_inventory(folder.path, FRAMES))) as rows:
        for number, video in enumerate(videos):
            frames = rows.table_of(video.video_id)
            try:
                stretches += _of_video(frames, video, folder.settings, encoder, scratch)
            except (MediaError, SourceError) as error:
                left_out.append(f"{video.path}: {error}")
            on_video(number + 1, len(videos))
    return Gathered(stretches=tuple(stretches), left_out=tuple(left_out))


def _of_video(
    frames: pa.Table,
    record: VideoRecord,
    settings: CurationSettings,
    encoder: WhisperTinyEncoder,
    scratch: ScratchSettings,
) -> Iterator[SpokenStretch]:
    """Yield the stretches of one video, given its rows of the table `frames`."""
    ticks: Int64Array = frames["tick"].to_numpy().astype(np.int64)
    chosen = list(_stretches(frames))
    if not chosen:
        return
    video = unchanged_source(record, consequence="nothing is learnt from it")
    with readable(video, scratch) as path:
        info = probe_for(path, settings.media)
        if record.audio_track is not None:
            info = heard_by_number(info, record.audio_track)
        for first, end in chosen:
            face = stored_face(frames.slice(first, end - first))
            begin, stop = int(ticks[first]), int(ticks[end - 1]) + 1
            audio = tick_audio(info, begin, stop)
            if audio is not None and face.blendshapes is not None:
                yield SpokenStretch(
                    file=str(record.path),
                    group=record.speaker_id or str(record.path),
                    first_tick=begin,
                    lengths=mouth_lengths(face.landmarks_px, face.blendshapes),
                    speech=encoder.chunk_rows(audio, stop - begin),
                )


def _stretches(frames: pa.Table) -> Iterator[TickRange]:
    """Yield rows ``[first, end)`` of one face in one shot that is seen well enough, and that speaks."""
    ticks: Int64Array = frames["tick"].to_numpy().astype(np.int64)
    seen = _well_seen(frames)
    track = frames["track_id"].fill_null(-1).to_numpy()
    speech: BoolArray = frames["speech_prob"].fill_null(0.0).to_numpy() >= _SPEECH_PROB
    cut: BoolArray = frames["cut_score"].fill_null(0.0).to_numpy() >= 0.5
    goes_on = seen[1:] & seen[:-1] & (track[1:] == track[:-1]) & ~cut[1:] & (np.diff(ticks) == 1)
    starts = np.flatnonzero(seen & np.concatenate([[True], ~goes_on])[: len(seen)])
    ends = np.flatnonzero(seen & np.concatenate([~goes_on, [True]])[-len(seen) :]) + 1
    for first, end in zip(starts, ends, strict=True):
        if end - first >= _LEAST_TICKS and speech[first:end].mean() >= _LEAST_SPEECH:
            yield int(first), int(end)


def _well_seen(frames: pa.Table) -> BoolArray:
    """Return (N,) whether the row has a main face, with blendshapes, wide, turned and bare enough."""
    has_face: BoolArray = np.asarray((frames["track_id"].is_valid()).to_numpy(), dtype=np.bool_)
    has_face &= np.asarray(frames["blendshapes"].is_valid().to_numpy(), dtype=np.bool_)
    has_face &= np.asarray(frames["landmarks"].is_valid().to_numpy(), dtype=np.bool_)
    seen: BoolArray = np.zeros(len(frames), dtype=np.bool_)
    if not has_face.any():
        return seen
    face = stored_face(frames.filter(pa.array(has_face)))
    width: Float32Array = face.box_px[:, 2] - face.box_px[:, 0]
    covered = face.mask_prob > _COVERED_PROB  # NaN where no mask was looked for
    seen[has_face] = (width >= _LEAST_WIDTH_PX) & (np.abs(face.pose_deg[:, 1]) <= _LARGEST_YAW_DEG) & ~covered
    return seen
