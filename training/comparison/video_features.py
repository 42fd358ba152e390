"""Features of the true video and of all results of one name: each file is decoded once, all side by side.

The features of a video, and those of a pair with the truth, are kept in the cache. So a second evaluation, another
table or one more system decodes and computes only what is new.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from foundation.array_types import Float32Array
from training.comparison.feature_cache import FeatureCache, feature_key
from training.comparison.lip_crops import sync_of_video
from training.comparison.metric_networks import MetricNetworks
from training.comparison.table_columns import COLUMNS
from training.comparison.tick_frames import ResultVideo, chunks
from training.comparison.video_meters import FaceMeter, InceptionMeter, LpipsMeter, PixelMeter

__all__ = ["Measurer", "VideoFeatures"]

Arrays = Mapping[str, Float32Array]

VideoMeter = FaceMeter | InceptionMeter

PairMeter = PixelMeter | LpipsMeter


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class VideoFeatures:
    """What was measured of a video; arrays are mapped from the cache."""

    n_ticks: int
    """Its length."""
    faces: Arrays
    """(T, ...) by part."""
    inception: Float32Array | None
    """(T, 2048) features; None where they are not asked for."""
    sync: Arrays
    """Sync-D, Sync-C and offset; empty where they are not asked for."""
    pair: Arrays
    """(T,) `psnr`, `ssim` and `lpips` over the ticks that result and truth share; empty for the truth."""


@dataclass(eq=False, slots=True)
class _Wanted:
    """Meters for one video, by the key of the entry that they fill."""

    video: ResultVideo
    meters: dict[str, VideoMeter] = field(default_factory=dict)
    pairs: dict[str, PairMeter] = field(default_factory=dict)

    @property
    def is_needed(self) -> bool:
        return bool(self.meters or self.pairs)


class Measurer:
    """Measures videos for the columns of a table."""

    def __init__(self, networks: MetricNetworks, cache: FeatureCache, columns: tuple[str, ...]) -> None:
        """Set what is measured.

        Args:
            networks: those of this machine.
            cache: of features.
            columns: keys of those that can be computed.
        """
        parts = {COLUMNS[column].part for column in columns}
        self._networks, self._cache = networks, cache
        self._pixels = "pictures" in parts
        self._lpips, self._fid, self._sync = "lpips_alex" in parts, "fid" in parts, "sync" in parts

    def measure(
        self, truth: ResultVideo, results: Mapping[str, ResultVideo], width_px: int, height_px: int
    ) -> tuple[VideoFeatures, dict[str, VideoFeatures]]:
        """Return the features of the true video, and of each result.

        Args:
            truth: the true video.
            results: by system.
            width_px: to which all pictures are scaled.
            height_px: likewise.

        Raises:
            UnreadableVideoError: a video cannot be decoded to its end.
            OSError: the cache cannot be written.
        """
        size = f"{width_px}x{height_px}"
        wanted = [self._wanted(video, None, size) for video in (truth,)]
        wanted += [self._wanted(video, truth, size) for video in results.values()]
        self._stream(wanted, width_px, height_px)
        features = [
            self._features(one.video, None if n == 0 else truth, width_px, height_px) for n, one in enumerate(wanted)
        ]
        return features[0], dict(zip(results, features[1:], strict=True))

    def _wanted(self, video: ResultVideo, truth: ResultVideo | None, size: str) -> _Wanted:
        """Return the meters for what the cache lacks."""
        wanted = _Wanted(video)
        if self._cache.find(key := self._faces_key(video, size)) is None:
            wanted.meters[key] = FaceMeter(self._networks.faces)
        if self._fid and self._cache.find(key := self._inception_key(video, size)) is None:
            wanted.meters[key] = InceptionMeter(self._networks.inception())
        if truth is not None:
            if (
                self._pixels
                and self._cache.find(key := feature_key("pixels", video.sha256, truth.sha256, size)) is None
            ):
                wanted.pairs[key] = PixelMeter()
            if self._lpips and self._cache.find(key := self._lpips_key(video, truth, size)) is None:
                wanted.pairs[key] = LpipsMeter(self._networks.lpips())
        return wanted

    def _stream(self, wanted: list[_Wanted], width_px: int, height_px: int) -> None:
        """Decode the videos side by side, measure them, and keep what was measured."""
        truth_is_needed = wanted[0].is_needed or any(one.pairs for one in wanted)
        streams = [
            chunks(one.video, width_px, height_px) if one.is_needed or (n == 0 and truth_is_needed) else iter(())
            for n, one in enumerate(wanted)
        ]
        for pictures in zip_longest(*streams):
            for one, own in zip(wanted, pictures, strict=True):
                if own is None:
                    continue
                for meter in one.meters.values():
                    meter.feed(own)
                if (true := pictures[0]) is not None:
                    n_shared = min(len(own), len(true))
                    for pair in one.pairs.values():
                        pair.feed(own[:n_shared], true[:n_shared])
        for one in wanted:
            for key, filled in (one.meters | one.pairs).items():
                self._cache.keep(key, filled.arrays())

    def _features(self, video: ResultVideo, truth: ResultVideo | None, width_px: int, height_px: int) -> VideoFeatures:
        size = f"{width_px}x{height_px}"
        faces = self._found(self._faces_key(video, size))
        n_ticks = int(faces.pop("n_ticks")[0])
        pair: dict[str, Float32Array] = {}
        if truth is not None:
            pair |= self._found(feature_key("pixels", video.sha256, truth.sha256, size)) if self._pixels else {}
            pair |= self._found(self._lpips_key(video, truth, size)) if self._lpips else {}
        sync: Arrays = {}
        if self._sync:
            key = feature_key("sync", self._networks.digest("sync"), self._networks.faces.digest, video.sha256, size)
            sync = self._cache.found_or_made(
                key,
                lambda: sync_of_video(self._networks.syncnet(), video, faces["landmarks"], width_px, height_px),
            )
        inception = self._found(self._inception_key(video, size))["features"] if self._fid else None
        return VideoFeatures(n_ticks=n_ticks, faces=faces, inception=inception, sync=sync, pair=pair)

    def _found(self, key: str) -> dict[str, Float32Array]:
        found = self._cache.find(key)
        if found is None:
            raise OSError("features that were just written are gone; give --cache a folder that nothing else clears")
        return found

    def _faces_key(self, video: ResultVideo, size: str) -> str:
        return feature_key("faces", self._networks.faces.digest, video.sha256, size)

    def _inception_key(self, video: ResultVideo, size: str) -> str:
        return feature_key("inception", self._networks.digest("fid"), video.sha256, size)

    def _lpips_key(self, video: ResultVideo, truth: ResultVideo, size: str) -> str:
        return feature_key("lpips", self._networks.digest("lpips_alex"), video.sha256, truth.sha256, size)
