"""Mask probability at a stride: measured every few ticks, and on the ticks between only where it changes.

A mask stays on for seconds, and a classifier costs up to 20 ms a face, so most measurements would repeat a known value.
A mask that is put on and taken off within one stride may be missed; the rule `mask` smooths it away anyway.
"""

from dataclasses import dataclass, field

import numpy as np

from curation.evidence.boxes import link_boxes
from curation.perception.protocols import MaskClassifier
from foundation.array_types import BoolArray, Float32Array, RgbImage

__all__ = ["StridedMask"]

_AGREE = 0.2
"""Two measurements of one face that differ by no more agree, and the ticks between lie on the line between them.
Ours: confident values lie below 0.05 or above 0.95, whatever limit the rule has."""

_MIN_OVERLAP = 0.3
"""Least intersection over union of one face on adjacent ticks, as the tracks have it."""


@dataclass(slots=True)
class _Look:
    """One face in one frame."""

    frame: RgbImage | None
    """The frame; None once it is not needed any more."""
    key_points_px: Float32Array
    box_px: Float32Array
    prob: float = float("nan")
    measured: bool = False


@dataclass(slots=True)
class _Strand:
    """One face on adjacent ticks, from its last measured tick on; earlier ticks are done."""

    ticks: list[int] = field(default_factory=list)
    looks: list[_Look] = field(default_factory=list)


class StridedMask:
    """Collector of the mask probability of all faces of a range of ticks.

    The classifier runs on ticks that are multiples of the stride, on the first and the last tick of a face, and on all
    between two neighbouring measurements that disagree. Faces are linked from tick to tick by overlap. Memory holds at
    most `stride` frames.
    """

    def __init__(self, classifier: MaskClassifier, stride: int) -> None:
        """Begin a range; `stride` is in ticks, 1 measures every tick."""
        self._classifier = classifier
        self._stride = stride
        self._rows: list[_Look] = []
        self._strands: list[_Strand] = []
        """Of the faces of the last tick, in their order."""
        self._tick: int | None = None

    def begin_shot(self) -> None:
        """End the faces of the frames before, so that none of the next frame continues one of them."""
        for strand in self._strands:
            self._complete(strand)
        self._strands = []

    def add(self, tick: int, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> None:
        """Add the F faces of a new frame.

        Args:
            tick: absolute tick of the video, later than those before.
            frame: (H, W, 3); must not change afterwards.
            key_points_px: (F, 9, 2) as for `MaskClassifier`.
            boxes_px: (F, 4) likewise.
        """
        looks = [_Look(frame, points, box) for points, box in zip(key_points_px, boxes_px, strict=True)]
        self._continue(tick, looks, link_boxes(boxes_px, self._boxes_before(tick), _MIN_OVERLAP))

    def add_empty(self, tick: int) -> None:
        """Add a new frame without a face."""
        self._continue(tick, [], {})

    def repeat(self, tick: int) -> None:
        """Add the faces of the last frame again, which lasts until `tick`."""
        looks = [strand.looks[-1] for strand in self._strands]
        linked = self._tick is not None and self._tick == tick - 1
        self._continue(tick, looks, {k: k for k in range(len(looks))} if linked else {})

    def finish(self) -> tuple[Float32Array, BoolArray]:
        """Return the (R,) probability of every face in the order of their addition, and whether it was measured."""
        self.begin_shot()
        prob = np.array([look.prob for look in self._rows], dtype=np.float32)
        return prob, np.array([look.measured for look in self._rows], dtype=np.bool_)

    def _boxes_before(self, tick: int) -> Float32Array:
        previous = self._strands if self._tick == tick - 1 else []
        return np.array([strand.looks[-1].box_px for strand in previous], dtype=np.float32).reshape(-1, 4)

    def _continue(self, tick: int, looks: list[_Look], before: dict[int, int]) -> None:
        """Append the faces of this tick to the strands that they continue (`before`: face to strand) or begin."""
        for index, strand in enumerate(self._strands):
            if index not in before.values():
                self._complete(strand)
        strands = []
        for index, look in enumerate(looks):
            strand = self._strands[before[index]] if index in before else _Strand()
            strand.ticks.append(tick)
            strand.looks.append(look)
            if index not in before or tick % self._stride == 0:
                self._complete(strand)
            strands.append(strand)
        self._rows += looks
        self._strands, self._tick = strands, tick

    def _complete(self, strand: _Strand) -> None:
        """Measure the newest tick of a strand, and measure or interpolate those since the one measured before it."""
        first, last = strand.looks[0], strand.looks[-1]
        self._measure(last)
        for tick, look in zip(strand.ticks[1:-1], strand.looks[1:-1], strict=True):
            if abs(last.prob - first.prob) > _AGREE:
                self._measure(look)
            elif not look.measured:
                share = (tick - strand.ticks[0]) / (strand.ticks[-1] - strand.ticks[0])
                look.prob, look.frame = first.prob + share * (last.prob - first.prob), None
        strand.ticks, strand.looks = strand.ticks[-1:], strand.looks[-1:]

    def _measure(self, look: _Look) -> None:
        if look.frame is not None:
            look.prob = float(self._classifier(look.frame, look.key_points_px[None], look.box_px[None])[0])
            look.measured, look.frame = True, None
