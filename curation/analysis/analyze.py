"""Analysis of a video in one pass: all perception models, decoded frames kept in this process."""

from collections.abc import Iterator

import numpy as np

from curation.analysis.audio_level import tick_loudness_dbfs
from curation.analysis.face_collector import FaceCollector
from curation.analysis.shape_starts import ShapeStarts
from curation.analysis.tick_choice import EveryTick, TickChoice
from curation.analysis.waiting_ticks import WaitingTicks
from curation.evidence.joining import with_audio
from curation.evidence.measures import AudioEvidence, Evidence, FrameEvidence
from curation.media.audio import tick_audio_pieces
from curation.media.frames import tick_frames
from curation.media.frames_again import FramesAgain
from curation.media.probe import VideoInfo
from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from curation.perception.models import Perception
from foundation.array_types import Float32Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["WINDOW_STEP_TICKS", "analyze", "analyze_audio", "analyze_frames", "not_looked_at"]

WINDOW_STEP_TICKS = 25
"""Common multiple of the intervals at which frames are searched and faces described: a window that begins on a multiple
of it is searched and described on the same ticks as the complete video."""


def analyze(
    info: VideoInfo,
    models: Perception,
    first_tick: int,
    end_tick: int,
    media: MediaSettings = DEFAULT_MEDIA_SETTINGS,
    choice: TickChoice | None = None,
) -> Evidence:
    """Measure ticks ``[first_tick, end_tick)`` of a video, frames and audio; `choice` is that of `analyze_frames`.

    Raises:
        MediaError: the file cannot be decoded.
    """
    frames = analyze_frames(info, models, first_tick, end_tick, media, choice)
    return with_audio(frames, analyze_audio(info, models, first_tick, end_tick))


def analyze_frames(
    info: VideoInfo,
    models: Perception,
    first_tick: int,
    end_tick: int,
    media: MediaSettings = DEFAULT_MEDIA_SETTINGS,
    choice: TickChoice | None = None,
) -> FrameEvidence:
    """Measure the frames of ticks ``[first_tick, end_tick)`` of a video, those between grid ticks only where chosen.

    A frame that lasts several ticks is measured once. Coordinates are pixels of the upright frame; where the stream
    goes on in another size, a new shot begins (`SURE_CUT_SCORE`). Memory holds the frames that wait for the choice,
    `models.mask_stride` others, and thumbnails for the cut scorer. A range that begins on a multiple of
    `WINDOW_STEP_TICKS` gives the same values as the complete video.

    Args:
        info: what was probed of the video.
        models: all of them.
        first_tick: of the range.
        end_tick: of the range.
        media: how it is decoded.
        choice: chooses ticks as grid ticks come in; None: all.

    Raises:
        MediaError: the file cannot be decoded.
    """
    halo = models.cuts.halo_ticks
    halo_first, halo_end = max(0, first_tick - halo), min(info.n_ticks, end_tick + halo)
    thumbs = np.zeros((halo_end - halo_first, models.cuts.thumb_height_px, models.cuts.thumb_width_px, 3), np.uint8)
    decoded = np.zeros(end_tick - first_tick, dtype=np.bool_)
    ticks = WaitingTicks(models, choice or EveryTick(), end_tick - first_tick, FramesAgain(info, media))
    starts = ShapeStarts(halo)
    for frame in tick_frames(info, halo_first, halo_end, media):
        row = frame.tick - halo_first
        joined = bool(row) and frame.tick in info.joins
        if joined:
            starts.begin(row)
        if frame.shown is None:
            # The last frame again: a gap in the file is not a shot cut.
            thumbs[row] = thumbs[max(0, row - 1)]
            continue
        thumbs[row] = frame.shown.thumbnail(models.cuts.thumb_width_px, models.cuts.thumb_height_px)
        begins_shot = starts.add(row, frame.shown.shape.size_px) or joined
        if first_tick <= frame.tick < end_tick:
            decoded[frame.tick - first_tick] = True
            ticks.add(frame.tick, frame.tick - first_tick, frame.source_frame, frame.shown, begins_shot=begins_shot)
    measured = ticks.finish()
    return FrameEvidence(
        decoded=decoded,
        faces=ticks.collector.faces(measured, ticks.grid),
        grid=ticks.grid,
        measured=measured,
        cut_score=starts.cut_scores(models.cuts, thumbs)[first_tick - halo_first :][: end_tick - first_tick],
    )


def not_looked_at(models: Perception, n_ticks: int) -> FrameEvidence:
    """Return the evidence of the frames of ticks of which no picture is decoded: nothing is known of them."""
    return FrameEvidence(
        decoded=np.ones(n_ticks, dtype=np.bool_),
        faces=FaceCollector(models).faces(),
        cut_score=np.zeros(n_ticks, dtype=np.float32),
        grid=np.zeros(n_ticks, dtype=np.bool_),
        measured=np.zeros(n_ticks, dtype=np.bool_),
    )


def analyze_audio(info: VideoInfo, models: Perception, first_tick: int, end_tick: int) -> AudioEvidence:
    """Measure the audio of ticks ``[first_tick, end_tick)`` of a video.

    The voice detector keeps a state, so that only a range from tick 0 on gives the same values as the complete video.

    Raises:
        MediaError: the file cannot be opened.
    """
    pieces = tick_audio_pieces(info, first_tick, end_tick)
    if pieces is None:
        return AudioEvidence(speech_prob=None, loudness_dbfs=None)
    levels = []

    def pieces_with_levels() -> Iterator[Float32Array]:
        for piece in pieces:
            levels.append(tick_loudness_dbfs(piece, len(piece) // SAMPLES_PER_TICK))
            yield piece

    speech_prob = models.voice(pieces_with_levels(), end_tick - first_tick)
    return AudioEvidence(speech_prob=speech_prob, loudness_dbfs=np.concatenate(levels))
