"""The data of the VAE's trainer: frame pairs with the noise that their latents are drawn with."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.vae import LatentNoise, VaeConfig
from training.epoch_order import SampleKey
from training.frame_pairs import FramePairBatch, FramePairs, collate_pairs
from training.randomness import torch_generator

__all__ = ["VaeBatch", "VaeSamples"]


class VaeBatch(NamedTuple):
    """A micro-batch."""

    pairs: FramePairBatch
    noise: LatentNoise


class VaeSamples:
    """A `training.task.BatchSource`."""

    def __init__(self, pairs: FramePairs, model: VaeConfig, *, seed: int) -> None:
        self.pairs = pairs
        self._model, self._seed = model, seed

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, keys: Sequence[SampleKey]) -> VaeBatch:
        """Return a micro-batch; its noise belongs to the samples, whatever batch, rank or process they are in.

        Raises:
            DamagedDataError: a sample cannot be read, nor can those in its place.
        """
        shapes = (self._model.appearance_shape, *([self._model.motion_shape] if self._model.disentangled else []))
        drawn = [self._noise(key, shapes) for key in keys]
        latents = [torch.stack(noise) for noise in zip(*drawn, strict=True)]
        noise = LatentNoise(latents[0], latents[1] if self._model.disentangled else None)
        return VaeBatch(collate_pairs(self.pairs.__getitems__(keys)), noise)

    def _noise(self, key: SampleKey, shapes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
        generator = torch_generator(self._seed, "latent noise", key.epoch, key.item)
        return [torch.randn(shape, generator=generator) for shape in shapes]
