"""Measurements of faces, frame by frame, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.analysis.batches import JitterBatches, PoseBatches
from curation.analysis.face_quality import face_luma, face_sharpness, lip_aperture
from curation.analysis.mask_stride import StridedMask
from curation.evidence.joining import chosen_faces
from curation.evidence.measures import GRID_TICKS, Faces
from curation.media.convert import LazyImage
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import BoolArray, Float32Array, RgbImage
from manifests.landmarks import key_points, landmark_box

__all__ = ["FaceCollector", "MeasuredFace"]

DESCRIPTOR_EVERY_TICKS = 25
"""Interval of identity descriptors: one is taken on each tick that is a multiple of this, once a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredFace:
    """Measurements of one face in one source frame, of that frame alone."""

    found: FaceObservation
    number: int
    """Number of faces that were measured before it."""
    key_points_px: Float32Array
    sharpness: float
    luma: float
    lip_aperture: float


class FaceCollector:
    """Collector of face measurements: of ticks that follow one another, and of single ones between such runs.

    The complete frame is searched once in each group of `GRID_TICKS` ticks, counted from the start of the video, and
    wherever a face is lost. Between searches, faces are followed. Where a search finds no face and there was none
    before, or the search before found none, there are none up to the next search. A new face is found at most 0.16 s
    late.

    A run begins with a searched frame. Where that shows nobody within a shot, and the search before found a face,
    whether the frames after it are searched depends on those between, so that its run has to begin earlier.
    """

    def __init__(self, models: Perception) -> None:
        """Begin a range of ticks."""
        self._models = models
        self._scheme = models.landmarks
        self._source_frame: int | None = None
        self._looked: int | None = None
        """Group of ticks in which a complete frame was searched last."""
        self._no_face = False
        """Whether that search found no face, with none before it and none since."""
        self._none_before = False
        """Whether the last search of its kind in this shot, in a run or alone, found no face."""
        self._measured: Sequence[MeasuredFace] = ()
        self._ticks: list[int] = []
        self._rows: list[MeasuredFace] = []
        self._descriptors: list[Float32Array] = []
        self._in_run: list[bool] = []
        self._n_measured = 0
        self._masks = StridedMask(models.mask, models.mask_stride)
        self._poses = None if models.pose is None else PoseBatches(models.pose)
        self._jitter = None if models.jitter is None else JitterBatches(models.jitter)

    def begin_shot(self) -> None:
        """Forget the faces of the frames before: they cannot be followed into those that come."""
        self._source_frame = self._looked = None
        self._no_face = self._none_before = False
        self._measured = ()
        self._masks.begin_shot()

    def search(self, shown: LazyImage) -> list[MeasuredFace]:
        """Return all faces of a frame, whatever was seen before, with what is measured of this frame alone."""
        found = self._models.faces(shown.rgb, None)
        return self._measure(shown.rgb, found) if found else []

    def add(
        self,
        tick: int,
        row: int,
        source_frame: int | None,
        shown: LazyImage,
        searched: Sequence[MeasuredFace] | None = None,
    ) -> None:
        """Measure a tick of a run.

        Args:
            tick: of the video.
            row: of the range.
            source_frame: the stored frame; the same number: the same picture.
            shown: the picture.
            searched: what `search` found in it; None: it was not searched yet.
        """
        if source_frame is None or source_frame != self._source_frame:
            self._measured = self._find(tick, shown, searched)
            if self._measured:
                self._masks.add(tick, shown.rgb, *self._points_and_boxes())
            else:
                self._masks.add_empty(tick)
            self._source_frame = source_frame
        else:
            self._masks.repeat(tick)
        for face in self._measured:
            # On multiples of the absolute tick, so that windows of one video measure at the same ticks.
            descriptor = (
                self._models.describer(shown.rgb, face.key_points_px) if tick % DESCRIPTOR_EVERY_TICKS == 0 else None
            )
            self._append(row, face, descriptor, in_run=True)

    def add_alone(self, row: int, searched: Sequence[MeasuredFace]) -> None:
        """Add a tick of which the neighbours are not measured; masks and descriptors are left out.

        Args:
            row: of the range.
            searched: what `search` found in it.
        """
        self._none_before = not searched
        for face in searched:
            self._append(row, face, None, in_run=False)

    def pass_over(self) -> None:
        """Take notice of ticks of which nothing is known."""
        self._none_before = False

    def _append(self, row: int, face: MeasuredFace, descriptor: Float32Array | None, *, in_run: bool) -> None:
        self._ticks.append(row)
        self._rows.append(face)
        self._in_run.append(in_run)
        missing = np.full(self._models.descriptor_dim, np.nan, dtype=np.float32)
        self._descriptors.append(missing if descriptor is None else descriptor)

    def _points_and_boxes(self) -> tuple[Float32Array, Float32Array]:
        return (
            np.array([face.key_points_px for face in self._measured]),
            np.array([face.found.box_px for face in self._measured]),
        )

    def _find(self, tick: int, shown: LazyImage, searched: Sequence[MeasuredFace] | None) -> Sequence[MeasuredFace]:
        """Return the faces of a new frame: by a full search, by following, or none where no face is expected."""
        group = tick // GRID_TICKS
        begins = group != self._looked
        if self._no_face and not begins:
            return ()
        if begins:
            found = self.search(shown) if searched is None else searched
        else:
            followed = self._models.faces(shown.rgb, [face.found for face in self._measured] or None)
            found = self._measure(shown.rgb, followed) if followed else ()
        if begins or found:
            none_at_last = self._looked is not None and not self._measured
            self._no_face = not found and (none_at_last or self._none_before)
        if begins:
            self._none_before = not found
        self._looked = group
        return found

    def _measure(self, rgb: RgbImage, found: Sequence[FaceObservation]) -> list[MeasuredFace]:
        landmarks = np.array([face.landmarks_px for face in found])
        points, outlines = key_points(landmarks, self._scheme), landmark_box(landmarks)
        if self._poses is not None:
            self._poses.add(rgb, np.array([face.box_px for face in found]))
        if self._jitter is not None:
            for face in found:
                if face.jitter_box_px is None:
                    raise TypeError("jitter is measured by points of their own, for which the face finder gives no box")
                self._jitter.add(rgb, face.jitter_box_px)
        first = self._n_measured
        self._n_measured += len(found)
        return [
            MeasuredFace(
                found=face,
                number=number,
                key_points_px=nine,
                sharpness=face_sharpness(rgb, outline),
                luma=face_luma(rgb, outline),
                lip_aperture=lip_aperture(nine, outline),
            )
            for number, (face, nine, outline) in enumerate(zip(found, points, outlines, strict=True), start=first)
        ]

    def faces(self, measured: BoolArray | None = None, grid: BoolArray | None = None) -> Faces:
        """Return all faces.

        Args:
            measured: (T,) rows of the range of which everything is returned; None: all.
            grid: (T,) rows of which, where they are not `measured`, all but masks and descriptors is returned.
        """
        found = [row.found for row in self._rows]
        in_run = np.array(self._in_run, dtype=np.bool_)
        mask_prob = np.full(len(found), np.nan, dtype=np.float32)
        mask_measured = np.zeros(len(found), dtype=np.bool_)
        mask_prob[in_run], mask_measured[in_run] = self._masks.finish()
        shapes = [face.blendshapes for face in found if face.blendshapes is not None]
        faces = Faces(
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
        return faces if measured is None or grid is None else _thinned(faces, measured, grid)

    def _jitter_points_px(self) -> Float32Array | None:
        if self._jitter is None or not self._rows:
            return None
        return self._jitter.finish()[[row.number for row in self._rows]]

    def _pose_deg(self) -> Float32Array:
        if self._poses is None:
            return _stack([row.found.pose_deg for row in self._rows], (3,))
        return self._poses.finish()[[row.number for row in self._rows]]


def _thinned(faces: Faces, measured: BoolArray, grid: BoolArray) -> Faces:
    """Return the faces of rows that are asked for, so that no value depends on what else was measured."""
    alone = ~measured[faces.tick]
    faces = replace(
        faces,
        mask_prob=np.where(alone, np.float32(np.nan), faces.mask_prob),
        mask_measured=faces.mask_measured & ~alone,
        descriptor=np.where(alone[:, None], np.float32(np.nan), faces.descriptor),
    )
    return chosen_faces(faces, ~alone | grid[faces.tick])


def _stack(rows: list[Float32Array], shape: tuple[int, ...]) -> Float32Array:
    return np.stack(rows) if rows else np.zeros((0, *shape), dtype=np.float32)
