"""Micro-batches of the motion diffusion model with their random numbers: times, noise, dropped conditions.

The random numbers are functions of the sample (`SampleKey`), not of its batch: a sample has the same noise however a
global batch is divided over ranks and passes.

Shapes: B sequences, T frames, D numbers of a latent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.motion.inputs import Dropped, MotionInputs
from models.sampling.sde import VpSde
from training.data.order import SampleKey
from training.data.randomness import torch_generator
from training.diffusion.loss import DiffusionDraws, DiffusionLossConfig, draw
from training.diffusion.sequences import MotionSequence, MotionSequences, collate_sequences

__all__ = ["DiffusionBatch", "DiffusionSamples"]


class DiffusionBatch(NamedTuple):
    """Batch of samples, padded with zeros."""

    target_BTD: Tensor
    inputs: MotionInputs
    draws: DiffusionDraws
    damaged: tuple[str, ...]


class DiffusionSamples:
    """Source of micro-batches, a `training.loop.task.BatchSource`."""

    def __init__(self, sequences: MotionSequences, config: DiffusionLossConfig, sde: VpSde, *, seed: int) -> None:
        self.sequences = sequences
        self._config, self._sde, self._seed = config, sde, seed

    def __len__(self) -> int:
        """Return the number of samples of an epoch."""
        return len(self.sequences)

    def batch(self, keys: Sequence[SampleKey]) -> DiffusionBatch:
        """Return a batch of samples, padded with zeros.

        Raises:
            DamagedDataError: too many clips are damaged.
        """
        sequences = [self.sequences[key] for key in keys]
        draws = [self._draws(key, sequence) for key, sequence in zip(keys, sequences, strict=True)]
        return _collated(sequences, draws)

    def _draws(self, key: SampleKey, sequence: MotionSequence) -> DiffusionDraws:
        """Return the random numbers of a sample, as for a batch of one."""
        generator = torch_generator(self._seed, "diffusion", key.epoch, key.item)
        return draw(sequence.target_TD[None], self._config, self._sde, generator)


def _collated(sequences: Sequence[MotionSequence], draws: Sequence[DiffusionDraws]) -> DiffusionBatch:
    batch = collate_sequences(sequences)
    noise_BTD = torch.zeros_like(batch.target_BTD)
    for row, one in enumerate(draws):
        noise_BTD[row, : one.noise_BTD.shape[1]] = one.noise_BTD[0]
    return DiffusionBatch(
        target_BTD=batch.target_BTD,
        inputs=batch.inputs,
        draws=DiffusionDraws(
            time_B=torch.cat([one.time_B for one in draws]),
            noise_BTD=noise_BTD,
            dropped=Dropped(
                speech_B=_joined([one.dropped.speech_B for one in draws]),
                reference_B=_joined([one.dropped.reference_B for one in draws]),
                text_B=_joined([one.dropped.text_B for one in draws]),
            ),
            edited_B=torch.cat([one.edited_B for one in draws]),
        ),
        damaged=batch.damaged,
    )


def _joined(rows: Sequence[Tensor | None]) -> Tensor | None:
    present = [row for row in rows if row is not None]
    return torch.cat(present) if present else None
