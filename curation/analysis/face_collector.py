"""Faces of a range of ticks as columns, frame by frame: found, followed, and measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.analysis.batches import JitterBatches, PoseBatches
from curation.analysis.face_quality import face_luma, face_sharpness, lip_aperture
from curation.analysis.mask_stride import StridedMask
from curation.evidence.measures import GRID_TICKS, Faces
from curation.media.convert import LazyImage
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import LandmarkScheme, key_points, landmark_box
from manifests.schema.face_measures import FACE_MEASURES

__all__ = ["DESCRIPTOR_EVERY_TICKS", "FaceCollector", "found_faces"]

DESCRIPTOR_EVERY_TICKS = 25
"""Interval of identity descriptors: one is taken on each tick that is a multiple of this, once a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _MeasuredFace:
    """Measurements of one face in one source frame; of a frame that is left out, only what the search gives."""

    found: FaceObservation
    key_points_px: Float32Array
    number: int | None = None
    """Number of faces that were measured before it; None where it was not measured."""
    sharpness: float = float("nan")
    luma: float = float("nan")
    lip_aperture: float = float("nan")


def found_faces(tick: int, found: Sequence[FaceObservation], scheme: LandmarkScheme) -> Faces:
    """Return the faces of one picture with what their finder gives, and nothing else, of the tick ``tick``."""
    landmarks = _stack([face.landmarks_px for face in found], (scheme.n_points, 2))
    columns = {measure.field: measure.unmeasured(len(found)) for measure in FACE_MEASURES}
    columns |= {
        "box_px": _stack([face.box_px for face in found], (4,)),
        "score": np.array([face.score for face in found], dtype=np.float32),
        "key_points_px": key_points(landmarks, scheme),
        "landmarks_px": landmarks,
    }
    return Faces(tick=np.full(len(found), tick, dtype=np.int64), **columns)


class FaceCollector:
    """Collector of face measurements, frame by frame, as columns.

    A frame is measured (`add`), or left out, of which only the faces are told that a search found in it (`add_found`).
    Frames come in the order of their ticks. A measured one after one that was left out must be searched in full.
    """

    def __init__(self, models: Perception) -> None:
        self._models = models
        self._scheme = models.landmarks
        self._no_descriptor = np.full(models.descriptor_dim, np.nan, dtype=np.float32)
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

    def add(
        self,
        tick: int,
        row: int,
        source_frame: int | None,
        shown: LazyImage,
        searched: Sequence[FaceObservation] | None = None,
    ) -> None:
        """Measure a frame.

        Args:
            tick: absolute tick of the video.
            row: tick counted from the start of the range.
            source_frame: number of the stored frame.
            shown: its image.
            searched: the faces that a search of the complete frame found; None where it was not searched yet.
        """
        if source_frame is None or source_frame != self._source_frame:
            found = self._find(tick, shown, searched)
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
                else self._no_descriptor
            )

    def add_found(self, row: int, found: Sequence[FaceObservation]) -> None:
        """Add faces that a search found in a frame that is left out otherwise."""
        landmarks = np.array([face.landmarks_px for face in found])
        for face, nine in zip(found, key_points(landmarks, self._scheme) if found else (), strict=True):
            self._ticks.append(row)
            self._rows.append(_MeasuredFace(found=face, key_points_px=nine))
            self._descriptors.append(self._no_descriptor)

    def _find(
        self, tick: int, shown: LazyImage, searched: Sequence[FaceObservation] | None
    ) -> Sequence[FaceObservation]:
        """Return the faces of a new frame: by a full search, by following, or none where no face is expected."""
        group = tick // GRID_TICKS
        begins = group != self._looked
        if self._no_face and not begins:
            return []
        if begins:
            found = self._models.faces(shown.rgb, None) if searched is None else searched
        else:
            found = self._models.faces(shown.rgb, [face.found for face in self._measured] or None)
        if begins or found:
            self._no_face = self._looked is not None and not self._measured and not found
        self._looked = group
        return found

    def _measure(self, tick: int, rgb: RgbImage, found: Sequence[FaceObservation]) -> list[_MeasuredFace]:
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
        """Return all faces; what was not measured of those in frames that are left out is missing."""
        found = [row.found for row in self._rows]
        shapes = [face.blendshapes for face in found if face.blendshapes is not None]
        measured = np.array([row.number is not None for row in self._rows], dtype=np.bool_)
        mask_prob, mask_measured = np.full(len(found), np.nan, np.float32), np.zeros(len(found), np.bool_)
        mask_prob[measured], mask_measured[measured] = self._masks.finish()
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
        return self._by_row(self._jitter.finish())

    def _pose_deg(self) -> Float32Array:
        if self._poses is None:
            return _stack([row.found.pose_deg for row in self._rows], (3,))
        return self._by_row(self._poses.finish())

    def _by_row(self, values: Float32Array) -> Float32Array:
        """Return the values of measured faces, one of each, in the order of rows; NaN where none was measured."""
        missing = np.full((1, *values.shape[1:]), np.nan, dtype=np.float32)
        return np.concatenate([values, missing])[[-1 if row.number is None else row.number for row in self._rows]]


def _stack(rows: list[Float32Array], shape: tuple[int, ...]) -> Float32Array:
    return np.stack(rows) if rows else np.zeros((0, *shape), dtype=np.float32)
