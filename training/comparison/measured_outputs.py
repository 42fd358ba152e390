"""Figures of all videos, one name after another; what does not fit is left out, counted, and told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array
from foundation.text import count_text
from manifests.timeline import TICK_RATE_HZ
from training.comparison.estimates_over_videos import MeasuredSystem
from training.comparison.feature_cache import FeatureCache
from training.comparison.matched_outputs import reference_of
from training.comparison.metric_networks import MetricNetworks
from training.comparison.tick_frames import ResultVideo, UnreadableVideoError, first_picture, read_facts
from training.comparison.video_features import Measurer, VideoFeatures
from training.comparison.video_figures import figures_of_result, figures_of_truth
from training.ratings.rated_videos import UnusableVideosError

__all__ = ["OutputMeasurer", "ShownVideo"]

_MOST_SHOWN = 6
"""Videos whose pictures stand in the page."""

_SAME_SHAPE = 0.02
"""Largest difference of the ratio of width to height that is taken for rounding."""

_DESCRIPTORS = ("dlib", "arcface")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownVideo:
    """A video of which pictures are shown."""

    name: str
    truth: ResultVideo
    results: Mapping[str, ResultVideo]
    n_ticks: int
    """Of the true video."""


class OutputMeasurer:
    """Measures one name after another; keeps figures alone."""

    def __init__(
        self,
        networks: MetricNetworks,
        cache: FeatureCache,
        columns: tuple[str, ...],
        *,
        reference: Path | None,
        first_frame: bool,
        size_px: int | None,
    ) -> None:
        """Set what is measured.

        Args:
            networks: those of this machine.
            cache: of features.
            columns: keys of those that can be computed.
            reference: folder of pictures of the persons.
            first_frame: whether the person is that of the first true frame, where there is no reference.
            size_px: width of the pictures; None: that of each true video.
        """
        self.truth = MeasuredSystem("truth")
        self._measurer = Measurer(networks, cache, columns)
        self._networks, self._columns = networks, columns
        self._reference, self._first_frame, self._size_px = reference, first_frame, size_px
        self._systems: dict[str, MeasuredSystem] = {}
        self._shown: list[ShownVideo] = []
        self._left_out: list[str] = []
        self._changed: Counter[tuple[str, str]] = Counter()

    def measure(self, name: str, truth: Path, results: Mapping[str, Path]) -> None:
        """Measure the true video of a name, and the results of all systems that have one.

        Raises:
            OSError: the cache cannot be written.
        """
        true = self._readable(truth)
        if true is None:
            return
        found = {system: video for system, path in results.items() if (video := self._readable(path)) is not None}
        found = {system: video for system, video in found.items() if self._has_shape_of(true, video)}
        measured = self._measured(true, found)
        if measured is None:
            return
        of_truth, of_results = measured
        width_px, _ = self._size(true)
        scheme = self._networks.faces.scheme
        self.truth.videos[name] = figures_of_truth(of_truth, scheme)
        self._note_rate("truth", true)
        reference = self._reference_descriptors(name, of_truth)
        for system, features in of_results.items():
            figures = figures_of_result(features, of_truth, reference, scheme=scheme, width_px=width_px)
            known = self._systems.setdefault(system, MeasuredSystem(system))
            known.videos[name] = figures
            if features.inception is not None and of_truth.inception is not None:
                n = figures.n_frames
                known.fid_pairs.append((features.inception[:n], of_truth.inception[:n]))
            self._note_changes(system, found[system], features.n_ticks, true, of_truth.n_ticks)
        if len(self._shown) < _MOST_SHOWN:
            shown = {system: found[system] for system in of_results}
            self._shown.append(ShownVideo(name=name, truth=true, results=shown, n_ticks=of_truth.n_ticks))

    def systems(self, names: Sequence[str]) -> list[MeasuredSystem]:
        """Return the systems in the order of `names`.

        Raises:
            UnusableVideosError: a system has no video that could be measured.
        """
        if absent := [name for name in names if name not in self._systems]:
            reasons = f": {self._left_out[0]}" if self._left_out else ""
            raise UnusableVideosError(f"no video of {absent[0]} could be measured{reasons}")
        return [self._systems[name] for name in names]

    def shown_videos(self) -> tuple[ShownVideo, ...]:
        """Return the first few videos, for pictures of them."""
        return tuple(self._shown)

    def notes(self) -> list[str]:
        """Return what was left out or changed."""
        notes = [*self._left_out]
        notes += [f"{system}: {n} video{'' if n == 1 else 's'} {what}" for (system, what), n in self._changed.items()]
        for system in (self.truth, *self._systems.values()):
            if without := sum(one.left_out.get("diversity", 0) for one in system.videos.values()):
                n_frames = sum(one.n_frames for one in system.videos.values())
                notes.append(
                    f"{system.name}: {without} of {count_text(n_frames, 'frame')} without a face: in no figure of faces"
                )
            if equal := sum(one.left_out.get("psnr", 0) for one in system.videos.values()):
                notes.append(
                    f"{system.name}: {equal} frames equal the truth and have no finite PSNR; it leaves them out"
                )
        return notes

    def _measured(
        self, true: ResultVideo, found: dict[str, ResultVideo]
    ) -> tuple[VideoFeatures, dict[str, VideoFeatures]] | None:
        """Measure what can be decoded; a result that cannot is taken out of `found`."""
        while found:
            try:
                return self._measurer.measure(true, found, *self._size(true))
            except UnreadableVideoError as error:
                self._left_out.append(f"{error}; left out")
                faulty = [system for system, video in found.items() if video.path == error.path]
                if not faulty:
                    return None
                for system in faulty:
                    del found[system]
        return None

    def _readable(self, path: Path) -> ResultVideo | None:
        try:
            return read_facts(path)
        except UnreadableVideoError as error:
            self._left_out.append(f"{error}; left out")
            return None

    def _size(self, true: ResultVideo) -> tuple[int, int]:
        """Return width and height of the pictures that are compared."""
        if self._size_px is None:
            return true.width_px, true.height_px
        return self._size_px, max(1, round(true.height_px * self._size_px / true.width_px))

    def _has_shape_of(self, true: ResultVideo, video: ResultVideo) -> bool:
        ratio = video.width_px / video.height_px / (true.width_px / true.height_px)
        if abs(ratio - 1.0) <= _SAME_SHAPE:
            return True
        self._left_out.append(
            f"{video.path}: it has {video.width_px}x{video.height_px} pixels and the truth "
            f"{true.width_px}x{true.height_px}, another shape; cut both alike; left out"
        )
        return False

    def _note_changes(self, system: str, video: ResultVideo, n_ticks: int, true: ResultVideo, n_true: int) -> None:
        if self._size_px is None and (video.width_px, video.height_px) != (true.width_px, true.height_px):
            self._changed[system, "of another size scaled to that of the truth"] += 1
        if n_ticks != n_true:
            self._changed[system, "longer or shorter than the truth compared as far as both go"] += 1
        self._note_rate(system, video)

    def _note_rate(self, whose: str, video: ResultVideo) -> None:
        if video.fps is not None and not _is_tick_rate(video.fps):
            self._changed[whose, f"of {float(video.fps):.4g} frames a second put on a clock of 25"] += 1

    def _reference_descriptors(self, name: str, of_truth: VideoFeatures) -> Mapping[str, Float32Array] | None:
        """Return (1, D) descriptors of the person; None: those of each true frame are taken."""
        parts = [part for part in _DESCRIPTORS if part in of_truth.faces]
        if self._reference is None:
            return {part: of_truth.faces[part][:1] for part in parts} if self._first_frame else None
        unknown = {part: np.full((1, of_truth.faces[part].shape[1]), np.nan, np.float32) for part in parts}
        path = reference_of(self._reference, name)
        if path is None:
            self._left_out.append(f"{self._reference}: it has no picture {name}, so its results have no CSIM")
            return unknown
        try:
            faces = self._networks.faces.reader()(first_picture(path))
        except UnreadableVideoError as error:
            self._left_out.append(f"{error}; its results have no CSIM")
            return unknown
        return {part: faces[part][None] for part in parts}


def _is_tick_rate(fps: Fraction) -> bool:
    """Return whether a rate is 25 up to the rounding of containers."""
    return abs(float(fps / TICK_RATE_HZ) - 1.0) < 1e-3
