"""Analysis of a video in one pass: all perception models on all ticks, decoded frames kept in this process."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curation.analysis.audio_level import tick_loudness_dbfs
from curation.analysis.batches import JitterBatches, PoseBatches
from curation.analysis.face_quality import face_luma, face_sharpness, lip_aperture
from curation.analysis.mask_stride import StridedMask
from curation.analysis.shape_starts import ShapeStarts
from curation.evidence.joining import with_audio
from curation.evidence.measures import AudioEvidence, Evidence, Faces, FrameEvidence
from curation.media.audio import tick_audio_pieces
from curation.media.convert import LazyImage
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import key_points, landmark_box
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["WINDOW_STEP_TICKS", "analyze", "analyze_audio", "analyze_frames", "not_looked_at"]

DESCRIPTOR_EVERY_TICKS = 25
"""Interval of identity descriptors: one is taken on each tick that is a multiple of this, once a second."""

FULL_LOOK_EVERY_TICKS = 5
"""Interval of full face searches: the complete frame is searched once in each group of this many ticks, counted from
the start of the video, and wherever a face is lost. Between searches, faces are followed. Where a search finds no face
and there was none before, there are none up to the next search. A new face is found at most 0.16 s late."""

WINDOW_STEP_TICKS = 25
"""Common multiple of the intervals above: a window that begins on a multiple of it is searched and described on the
same ticks as the complete video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _MeasuredFace:
    """Measurements of one face in one source frame."""

    found: FaceObservation
    number: int
    """Number of faces that were measured before it."""
    key_points_px: Float32Array
    sharpness: float
    luma: float
    lip_aperture: float


def analyze(
    info: VideoInfo,
    models: Perception,
    first_tick: int,
    end_tick: int,
    media: MediaSettings = DEFAULT_MEDIA_SETTINGS,
) -> Evidence:
    """Measure ticks ``[first_tick, end_tick)`` of a video, frames and audio.

    Raises:
        MediaError: the file cannot be decoded.
    """
    frames = analyze_frames(info, models, first_tick, end_tick, media)
    return with_audio(frames, analyze_audio(info, models, first_tick, end_tick))


def analyze_frames(
    info: VideoInfo,
    models: Perception,
    first_tick: int,
    end_tick: int,
    media: MediaSettings = DEFAULT_MEDIA_SETTINGS,
) -> FrameEvidence:
    """Measure the frames of ticks ``[first_tick, end_tick)`` of a video.

    A frame that lasts several ticks is measured once. Coordinates are pixels of the upright frame; where the stream
    goes on in another size, a new shot begins (`SURE_CUT_SCORE`). Memory holds `models.mask_stride` frames, and
    thumbnails for the cut scorer. A range that begins on a multiple of `WINDOW_STEP_TICKS` gives the same values as the
    complete video.

    Raises:
        MediaError: the file cannot be decoded.
    """
    halo = models.cuts.halo_ticks
    halo_first, halo_end = max(0, first_tick - halo), min(info.n_ticks, end_tick + halo)
    thumbs = np.zeros((halo_end - halo_first, models.cuts.thumb_height_px, models.cuts.thumb_width_px, 3), np.uint8)
    decoded = np.zeros(end_tick - first_tick, dtype=np.bool_)
    collected = _FaceCollector(models)
    starts = ShapeStarts(halo)
    for frame in tick_frames(info, halo_first, halo_end, media):
        row = frame.tick - halo_first
        if row and frame.tick in info.joins:
            starts.begin(row)
            collected.begin_shot()
        if frame.shown is None:
            # The last frame again: a gap in the file is not a shot cut.
            thumbs[row] = thumbs[max(0, row - 1)]
            continue
        thumbs[row] = frame.shown.thumbnail(models.cuts.thumb_width_px, models.cuts.thumb_height_px)
        if starts.add(row, frame.shown.shape.size_px):
            collected.begin_shot()
        if first_tick <= frame.tick < end_tick:
            decoded[frame.tick - first_tick] = True
            collected.add(frame.tick, frame.tick - first_tick, frame.source_frame, frame.shown)
    return FrameEvidence(
        decoded=decoded,
        faces=collected.faces(),
        cut_score=starts.cut_scores(models.cuts, thumbs)[first_tick - halo_first :][: end_tick - first_tick],
    )


def not_looked_at(models: Perception, n_ticks: int) -> FrameEvidence:
    """Return the evidence of the frames of ticks of which no picture is decoded: nothing is known of them."""
    return FrameEvidence(
        decoded=np.ones(n_ticks, dtype=np.bool_),
        faces=_FaceCollector(models).faces(),
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


class _FaceCollector:
    """Collector of face measurements, frame by frame, as columns."""

    def __init__(self, models: Perception) -> None:
        self._models = models
        self._scheme = models.landmarks
        self._source_frame: int | None = None
        self._looked: int | None = None
        """Group of ticks in which a complete frame was searched last."""
        self._no_face = False
        """Whether that search found no face, with none before it and none since."""
        self._measured: list[_MeasuredFace] = []
        self._ticks: list[int] = []
        self._rows: list[_MeasuredFace] = []
        self._descriptors: list[Float32Array] = []
        self._n_measured = 0
        self._masks = StridedMask(models.mask, models.mask_stride)
        self._poses = None if models.pose is None else PoseBatches(models.pose)
        self._jitter = None if models.jitter is None else JitterBatches(models.jitter)

    def begin_shot(self) -> None:
        """Forget the faces of the frames before: they cannot be followed into those that come."""
        self._source_frame = self._looked = None
        self._no_face = False
        self._measured = []
        self._masks.begin_shot()

    def add(self, tick: int, row: int, source_frame: int | None, shown: LazyImage) -> None:
        if source_frame is None or source_frame != self._source_frame:
            found = self._find(tick, shown)
            self._measured = self._measure(tick, shown.rgb, found) if found else []
            if not found:
                self._masks.add_empty(tick)
            self._source_frame = source_frame
        else:
            self._masks.repeat(tick)
        for face in self._measured:
            self._ticks.append(row)
            self._rows.append(face)
            # On multiples of the absolute tick, so that windows of one video measure at the same ticks.
            self._descriptors.append(
                self._models.describer(shown.rgb, face.key_points_px)
                if tick % DESCRIPTOR_EVERY_TICKS == 0
                else np.full(self._models.descriptor_dim, np.nan, dtype=np.float32)
            )

    def _find(self, tick: int, shown: LazyImage) -> list[FaceObservation]:
        """Return the faces of a new frame: by a full search, by following, or none where no face is expected."""
        group = tick // FULL_LOOK_EVERY_TICKS
        begins = group != self._looked
        if self._no_face and not begins:
            return []
        found = self._models.faces(shown.rgb, None if begins else [face.found for face in self._measured] or None)
        if begins or found:
            self._no_face = self._looked is not None and not self._measured and not found
        self._looked = group
        return found

    def _measure(self, tick: int, rgb: RgbImage, found: list[FaceObservation]) -> list[_MeasuredFace]:
        landmarks = np.array([face.landmarks_px for face in found])
        points, outlines = key_points(landmarks, self._scheme), landmark_box(landmarks)
        boxes = np.array([face.box_px for face in found])
        self._masks.add(tick, rgb, points, boxes)
        if self._poses is not None:
            self._poses.add(rgb, boxes)
        if self._jitter is not None:
            for face in found:
                if face.jitter_box_px is None:
                    raise TypeError("jitter is measured by points of their own, for which the face finder gives no box")
                self._jitter.add(rgb, face.jitter_box_px)
        first = self._n_measured
        self._n_measured += len(found)
        return [
            _MeasuredFace(
                found=face,
                number=number,
                key_points_px=nine,
                sharpness=face_sharpness(rgb, outline),
                luma=face_luma(rgb, outline),
                lip_aperture=lip_aperture(nine, outline),
            )
            for number, (face, nine, outline) in enumerate(zip(found, points, outlines, strict=True), start=first)
        ]

    def faces(self) -> Faces:
        found = [row.found for row in self._rows]
        mask_prob, mask_measured = self._masks.finish()
        shapes = [face.blendshapes for face in found if face.blendshapes is not None]
        return Faces(
            tick=np.array(self._ticks, dtype=np.int64),
            box_px=_stack([face.box_px for face in found], (4,)),
            score=np.array([face.score for face in found], dtype=np.float32),
            key_points_px=_stack([row.key_points_px for row in self._rows], (9, 2)),
            landmarks_px=_stack([face.landmarks_px for face in found], (self._scheme.n_points, 2)),
            pose_deg=self._pose_deg(),
            blendshapes=np.stack(shapes) if shapes and len(shapes) == len(found) else None,
            lip_aperture=np.array([row.lip_aperture for row in self._rows], dtype=np.float32),
            mask_prob=mask_prob,
            mask_measured=mask_measured,
            sharpness=np.array([row.sharpness for row in self._rows], dtype=np.float32),
            luma=np.array([row.luma for row in self._rows], dtype=np.float32),
            descriptor=_stack(self._descriptors, (self._models.descriptor_dim,)),
            jitter_points_px=self._jitter_points_px(),
        )

    def _jitter_points_px(self) -> Float32Array | None:
        if self._jitter is None or not self._rows:
            return None
        return self._jitter.finish()[[row.number for row in self._rows]]

    def _pose_deg(self) -> Float32Array:
        if self._poses is None:
            return _stack([row.found.pose_deg for row in self._rows], (3,))
        return self._poses.finish()[[row.number for row in self._rows]]


def _stack(rows: list[Float32Array], shape: tuple[int, ...]) -> Float32Array:
    return np.stack(rows) if rows else np.zeros((0, *shape), dtype=np.float32)
