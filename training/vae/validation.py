"""Validation of the VAE while it trains: frames of people that it does not learn from, rebuilt from their first frame.

The loss is equation 4 without the GAN, with noise in the latents as in training. PSNR and AKD are of frames rebuilt
from the means of the latents, as generation makes them; `copy_psnr_db` is what the first frame itself would have.

Shapes: B pairs of frames, H rows, W columns, K landmarks.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import landmark_scheme
from models.pixels import to_float, to_uint8
from models.vae.landmark_image import LandmarkRenderer
from models.vae.vae import LatentNoise, Vae, VaeOutput
from training.data.clips import ClipError
from training.data.held_out import HeldOut
from training.data.randomness import torch_generator
from training.loop.task import moved
from training.loop.validation.held_out_metrics import Better, Sum, ValidationPass
from training.vae.config import VaeTrainingConfig
from training.vae.samples import FramePair, FramePairBatch, FramePairs, collate_pairs

__all__ = ["KeypointSource", "Keypoints", "VaeValidation", "psnr_db"]

_LOG = logging.getLogger(__name__)

_FRAMES = 4
"""Frames of each clip that are rebuilt, evenly spread, the last one among them."""

_AT_ONCE = 8
"""Pairs in a batch, or `train.micro_batch` where that is less."""

_BEST_DB = 100.0
"""PSNR of identical images, which is infinite by definition."""


def psnr_db(image: RgbImage, target: RgbImage) -> float:
    """Return the peak signal-to-noise ratio of two 8-bit images, at most 100 dB.

    >>> grey = np.full((2, 2, 3), 100, np.uint8)
    >>> round(psnr_db(grey + 1, grey), 2), psnr_db(grey, grey)
    (48.13, 100.0)
    """
    mean_square = float(np.square(image.astype(np.float64) - target).mean())
    return min(_BEST_DB, 10.0 * float(np.log10(255.0**2 / mean_square))) if mean_square else _BEST_DB


class Keypoints(Protocol):
    """The landmark model that curated the data."""

    def landmarks(self, image: RgbImage) -> Float32Array:
        """Return the (K, 2) landmarks of the widest face in an image; NaN where there is none."""
        ...

    def distance(self, made_K2: Float32Array, true_K2: Float32Array) -> float | None:
        """Return the average keypoint distance, pixels of a picture 256 pixels wide; None where a face is missing."""
        ...


KeypointSource = Callable[[Path, str], Keypoints]
"""Returns the landmark model of a dataset, whose clips have landmarks of the named scheme.

It raises `CannotStartError` where that is not on this machine.
"""


class _Batch(NamedTuple):
    """A batch on the CPU, the same in all validations of a run."""

    pairs: FramePairBatch
    noise: LatentNoise
    n_pairs: int
    """0: no clip can be read, and one black pair stands in, for all ranks take the same passes."""
    true: list[RgbImage]
    copy_db: list[float]
    true_points: list[Float32Array]
    """Landmarks of the true frames; empty without a landmark model."""


class VaeValidation:
    """A `Validation` of the loop; it reads a batch once and keeps it in memory, as bytes."""

    summed = (
        *("loss", "reconstruction", "perceptual", "kl_appearance", "kl_motion"),
        *("psnr_db", "copy_psnr_db", "akd_px", "faces_lost"),
    )

    def __init__(
        self,
        held: HeldOut,
        config: VaeTrainingConfig,
        vae: Vae,
        renderer: LandmarkRenderer,
        perceptual: nn.Module | None,
        keypoints: Keypoints | None,
    ) -> None:
        """Choose the frames.

        Args:
            held: clips of other people.
            config: all settings.
            vae: the network in training.
            renderer: on its device when a batch is measured.
            perceptual: of the loss; None: L1 alone.
            keypoints: finds landmarks; None: AKD is left out.
        """
        self._config, self._vae, self._renderer, self._perceptual = config, vae, renderer, perceptual
        self._keypoints = keypoints
        self._pairs = FramePairs(held.index, image_px=config.model.image_px, seed=0)
        frames = [(clip, target) for clip in held.clips for target in _targets(int(held.index.n_frames[clip]))]
        size = min(_AT_ONCE, config.train.micro_batch)
        self._frames = [frames[start : start + size] for start in range(0, len(frames), size)]
        self._batches: dict[int, _Batch] = {}
        self.identity = held.identity(frames, config.model.image_px)
        self.metrics: dict[str, Better] = {"psnr_db": "higher", "loss": "lower", "reconstruction": "lower"}
        if keypoints is not None:
            self.metrics["akd_px"] = "lower"

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._frames)

    def sums(self, number: int, where: ValidationPass) -> Mapping[str, Sum]:
        """Return the sums over a batch; of the loss as of images, of AKD over those that show a face."""
        if number not in self._batches:
            self._batches[number] = self._read(self._frames[number])
        batch = self._batches[number]
        pairs, noise = moved(batch.pairs, where.device), moved(batch.noise, where.device)
        with where.autocast():
            drawn = self._output(pairs, noise)
            image_BCHW = self._output(pairs, None).image_BCHW
        sums = {name: _sum(value_B) for name, value_B in self._losses(drawn, to_float(pairs.image_j_BCHW)).items()}
        made = to_uint8(image_BCHW.float())
        if batch.n_pairs == 0:
            return {}
        sums["psnr_db"] = _sum_of([psnr_db(*images) for images in zip(made, batch.true, strict=True)])
        sums["copy_psnr_db"] = _sum_of(batch.copy_db)
        return sums | self._keypoint_sums(made, batch.true_points)

    def derived(self, means: Mapping[str, float]) -> Mapping[str, float]:
        """Return nothing: all metrics are means."""
        del means
        return {}

    def _output(self, pairs: FramePairBatch, noise: LatentNoise | None) -> VaeOutput:
        if not self._vae.config.disentangled:
            output: VaeOutput = self._vae(to_float(pairs.image_j_BCHW), None, noise)
        else:
            landmarks_BCHW = self._renderer(pairs.landmarks_BK2, pairs.valid_BK)
            output = self._vae(to_float(pairs.image_i_BCHW), landmarks_BCHW, noise)
        return output

    def _losses(self, output: VaeOutput, target_BCHW: Tensor) -> dict[str, Tensor]:
        """Return the (B,) terms of equation 4 by name, and their sum."""
        image_BCHW, weights = output.image_BCHW.float(), self._config.loss
        reconstruction_B = (image_BCHW - target_BCHW).abs().flatten(1).sum(1)
        perceptual_B = torch.zeros_like(reconstruction_B)
        if self._perceptual is not None:
            perceptual_B = self._perceptual(image_BCHW, target_BCHW).float().flatten()
            reconstruction_B = reconstruction_B + weights.perceptual_weight * image_BCHW[0].numel() * perceptual_B
        kl_appearance_B = output.appearance.kl_B().float()
        kl_motion_B = torch.zeros_like(kl_appearance_B) if output.motion is None else output.motion.kl_B().float()
        return {
            "loss": reconstruction_B + weights.kl_weight * (kl_appearance_B + kl_motion_B),
            "reconstruction": reconstruction_B,
            "perceptual": perceptual_B,
            "kl_appearance": kl_appearance_B,
            "kl_motion": kl_motion_B,
        }

    def _keypoint_sums(self, made: Sequence[RgbImage], true_points: Sequence[Float32Array]) -> dict[str, Sum]:
        if self._keypoints is None:
            return {}
        distances, lost = [], []
        for image, true_K2 in zip(made, true_points, strict=True):
            if np.isnan(true_K2).all():
                continue  # the true frame shows no face to this model
            distance = self._keypoints.distance(self._keypoints.landmarks(image), true_K2)
            lost.append(float(distance is None))
            if distance is not None:
                distances.append(distance)
        return {"akd_px": _sum_of(distances), "faces_lost": _sum_of(lost)}

    def _read(self, frames: Sequence[tuple[int, int]]) -> _Batch:
        pairs: list[FramePair] = []
        noise: list[list[Tensor]] = []
        for clip, target in frames:
            try:
                pairs.append(self._pairs.pair(clip, 0, target))
            except ClipError as error:
                _LOG.warning("frame %d of a clip is left out of validation: %s", target, error)
                continue
            noise.append(self._noise(self._pairs.index.row(clip).clip_id, target))
        n_pairs = len(pairs)
        if not pairs:
            pairs, noise = [self._black_pair()], [self._noise("", 0)]
        batch = collate_pairs(pairs)
        true, first = (to_uint8(to_float(side)) for side in (batch.image_j_BCHW, batch.image_i_BCHW))
        latents = [torch.stack(drawn) for drawn in zip(*noise, strict=True)]
        return _Batch(
            pairs=batch,
            noise=LatentNoise(latents[0], latents[1] if self._config.model.disentangled else None),
            n_pairs=n_pairs,
            true=list(true),
            copy_db=[psnr_db(*images) for images in zip(first, true, strict=True)],
            true_points=[] if self._keypoints is None else [self._keypoints.landmarks(image) for image in true],
        )

    def _noise(self, clip_id: str, target: int) -> list[Tensor]:
        model, generator = self._config.model, torch_generator("validation", clip_id, target)
        shapes = (model.appearance_shape, *([model.motion_shape] if model.disentangled else []))
        return [torch.randn(shape, generator=generator) for shape in shapes]

    def _black_pair(self) -> FramePair:
        black_CHW = torch.zeros(3, self._pairs.image_px, self._pairs.image_px, dtype=torch.uint8)
        n_points = landmark_scheme(self._pairs.index.landmark_scheme).n_points
        return FramePair(black_CHW, black_CHW, torch.zeros(n_points, 2), torch.zeros(n_points, dtype=torch.bool))


def _targets(n_frames: int) -> list[int]:
    """Return frames that are rebuilt from frame 0.

    >>> _targets(101), _targets(2), _targets(1)
    ([25, 50, 75, 100], [1], [0])
    """
    spread = np.linspace(0, n_frames - 1, _FRAMES + 1).round().astype(int)[1:]
    return sorted({int(frame) for frame in spread if frame > 0}) or [0]


def _sum(value_B: Tensor) -> Sum:
    return Sum(float(value_B.double().sum()), len(value_B))


def _sum_of(values: Sequence[float]) -> Sum:
    return Sum(float(np.sum(values)), len(values))
