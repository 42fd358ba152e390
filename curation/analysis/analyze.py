"""One pass over a stretch of a video: every perception model, every tick, frames that never leave this process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curation.analysis.batches import JitterBatches, PoseBatches
from curation.analysis.face_quality import face_luma, face_sharpness, lip_aperture
from curation.analysis.mask_stride import StridedMask
from curation.analysis.sound_level import tick_loudness_dbfs
from curation.evidence.joining import spread, stitch, with_sound
from curation.evidence.measures import Evidence, Faces, PictureEvidence, SoundEvidence
from curation.media.audio import tick_audio_pieces
from curation.media.convert import Shown
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import key_points, landmark_box
from manifests.timeline import SAMPLES_PER_TICK, Stretch, ticks_of

__all__ = ["WINDOW_STEP_TICKS", "analyze", "analyze_pictures", "analyze_sound", "analyze_stretches", "hear_stretches"]

DESCRIPTOR_EVERY_TICKS = 25
"""An identity descriptor is taken once a second: on ticks that are multiples of this."""

FULL_LOOK_EVERY_TICKS = 5
"""Whole pictures are searched for faces once in each group of this many ticks, counted from the video's start, and
wherever a face is lost. In between, faces are followed; where that search found nobody, and nobody had been there
before, there are none. A face that comes into view is found at most 0.16 s late."""

WINDOW_STEP_TICKS = 25
"""A multiple of the strides in here: windows that begin on multiples of it are searched for faces, and described, on
the ticks on which the whole video is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _MeasuredFace:
    """One face of one source frame, measured."""

    found: FaceObservation
    number: int
    """How many faces of pictures were measured before it."""
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
    """Measure ticks ``[first_tick, end_tick)`` of a video, pictures and sound.

    Raises:
        MediaError: the file cannot be decoded.
    """
    seen = analyze_pictures(info, models, first_tick, end_tick, media)
    return with_sound(seen, analyze_sound(info, models, first_tick, end_tick))


def analyze_pictures(
    info: VideoInfo,
    models: Perception,
    first_tick: int,
    end_tick: int,
    media: MediaSettings = DEFAULT_MEDIA_SETTINGS,
) -> PictureEvidence:
    """Measure the pictures of ticks ``[first_tick, end_tick)`` of a video.

    A picture that the video shows for several ticks is measured once. Memory holds `models.mask_stride` frames, and
    thumbnails for the cut scorer. A stretch that begins on a multiple of `WINDOW_STEP_TICKS` gives what the whole video
    gives there.

    Raises:
        MediaError: the file cannot be decoded.
    """
    halo = models.cuts.halo_ticks
    halo_first, halo_end = max(0, first_tick - halo), min(info.n_ticks, end_tick + halo)
    thumbs = np.zeros((halo_end - halo_first, models.cuts.thumb_height_px, models.cuts.thumb_width_px, 3), np.uint8)
    decoded = np.zeros(end_tick - first_tick, dtype=np.bool_)
    collected = _FaceCollector(models)
    for frame in tick_frames(info, halo_first, halo_end, media):
        row = frame.tick - halo_first
        if frame.shown is None:
            # The last picture again: a gap in the file is not a shot cut.
            thumbs[row] = thumbs[max(0, row - 1)]
            continue
        thumbs[row] = frame.shown.thumbnail(models.cuts.thumb_width_px, models.cuts.thumb_height_px)
        if first_tick <= frame.tick < end_tick:
            decoded[frame.tick - first_tick] = True
            collected.add(frame.tick, frame.tick - first_tick, frame.source_frame, frame.shown)
    return PictureEvidence(
        decoded=decoded,
        faces=collected.faces(),
        cut_score=models.cuts(thumbs)[first_tick - halo_first :][: end_tick - first_tick],
    )


def analyze_sound(info: VideoInfo, models: Perception, first_tick: int, end_tick: int) -> SoundEvidence:
    """Measure the sound of ticks ``[first_tick, end_tick)`` of a video.

    The voice detector remembers what it heard: only from a video's start on are its answers the whole video's.

    Raises:
        MediaError: the file cannot be opened.
    """
    pieces = tick_audio_pieces(info, first_tick, end_tick)
    if pieces is None:
        return SoundEvidence(speech_prob=None, loudness_dbfs=None)
    levels = []

    def heard() -> Iterator[Float32Array]:
        for piece in pieces:
            levels.append(tick_loudness_dbfs(piece, len(piece) // SAMPLES_PER_TICK))
            yield piece

    speech_prob = models.voice(heard(), end_tick - first_tick)
    return SoundEvidence(speech_prob=speech_prob, loudness_dbfs=np.concatenate(levels))


class _FaceCollector:
    """Measures the faces of frames and gathers them as columns."""

    def __init__(self, models: Perception) -> None:
        self._models = models
        self._scheme = models.landmarks
        self._source_frame: int | None = None
        self._looked: int | None = None
        """The group in which the whole picture was searched last."""
        self._nobody = False
        """Whether that search found nobody where nobody had been before, and nobody has come since."""
        self._measured: list[_MeasuredFace] = []
        self._ticks: list[int] = []
        self._rows: list[_MeasuredFace] = []
        self._descriptors: list[Float32Array] = []
        self._n_measured = 0
        self._masks = StridedMask(models.mask, models.mask_stride)
        self._poses = None if models.pose is None else PoseBatches(models.pose)
        self._jitter = None if models.jitter is None else JitterBatches(models.jitter)

    def add(self, tick: int, row: int, source_frame: int | None, shown: Shown) -> None:
        if source_frame is None or source_frame != self._source_frame:
            found = self._find(tick, shown)
            self._measured = self._measure(tick, shown.rgb, found) if found else []
            if not found:
                self._masks.nobody(tick)
            self._source_frame = source_frame
        else:
            self._masks.repeat(tick)
        for face in self._measured:
            self._ticks.append(row)
            self._rows.append(face)
            # On multiples of the absolute tick, so that windows of one video take them at the same places.
            self._descriptors.append(
                self._models.describer(shown.rgb, face.key_points_px)
                if tick % DESCRIPTOR_EVERY_TICKS == 0
                else np.full(self._models.descriptor_dim, np.nan, dtype=np.float32)
            )

    def _find(self, tick: int, shown: Shown) -> list[FaceObservation]:
        """Return the faces of a new picture: searched for, followed, or none where nobody is expected."""
        group = tick // FULL_LOOK_EVERY_TICKS
        begins = group != self._looked
        if self._nobody and not begins:
            return []
        found = self._models.faces(shown.rgb, None if begins else [face.found for face in self._measured] or None)
        if begins or found:
            self._nobody = self._looked is not None and not self._measured and not found
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
                    raise TypeError("jitter is judged by points of their own, and the face finder tells not where")
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


def analyze_stretches(
    info: VideoInfo, models: Perception, stretches: Sequence[Stretch], media: MediaSettings
) -> Evidence:
    """Measure stretches of a video, pictures and sound, each as a recording of its own.

    What lies between is not decoded, but for the few pictures beside a stretch that the cut scorer compares it with.

    Raises:
        MediaError: the file cannot be decoded.
    """
    parts = [analyze(info, models, first, end, media) for first, end in stretches]
    return spread(with_sound(stitch(parts), _one_after_another(parts)), ticks_of(stretches), info.n_ticks)


def hear_stretches(info: VideoInfo, models: Perception, stretches: Sequence[Stretch]) -> SoundEvidence:
    """Measure the sound of stretches, each as a recording of its own; the ticks of all follow one another.

    Raises:
        MediaError: the file cannot be opened.
    """
    return _one_after_another([analyze_sound(info, models, first, end) for first, end in stretches])


def _one_after_another(parts: Sequence[SoundEvidence]) -> SoundEvidence:
    return SoundEvidence(
        speech_prob=_joined([part.speech_prob for part in parts]),
        loudness_dbfs=_joined([part.loudness_dbfs for part in parts]),
    )


def _joined(columns: Sequence[Float32Array | None]) -> Float32Array | None:
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if len(present) == len(columns) else None
