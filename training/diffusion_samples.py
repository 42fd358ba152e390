"""Samples of the motion diffusion model with the random numbers of their step: time, noise, conditions taken away.

They belong to the sample (`SampleKey`), not to the batch it is in: however a global batch is shared out over ranks and
passes, each sample is noised alike.

Shapes: B sequences, T frames, D numbers of a latent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.motion_inputs import Dropped, MotionInputs
from models.sde import VpSde
from training.diffusion_loss import DiffusionDraws, DiffusionLossConfig, draw
from training.epoch_order import SampleKey
from training.latent_sequences import MotionSequence, MotionSequences, collate_sequences
from training.randomness import torch_generator

__all__ = ["DiffusionBatch", "DiffusionSample", "DiffusionSamples", "collate_samples"]


class DiffusionSample(NamedTuple):
    """One sample."""

    sequence: MotionSequence
    draws: DiffusionDraws
    """Of a batch of one."""


class DiffusionBatch(NamedTuple):
    """Samples side by side, zeros after the shorter ones."""

    target_BTD: Tensor
    inputs: MotionInputs
    draws: DiffusionDraws
    damaged: tuple[str, ...]

    def to(self, device: torch.device) -> "DiffusionBatch":
        """Return the batch with its tensors on `device`."""

        def there(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=True)

        inputs, draws = self.inputs, self.draws
        return DiffusionBatch(
            target_BTD=self.target_BTD.to(device, non_blocking=True),
            inputs=MotionInputs(
                mask_BT=inputs.mask_BT.to(device, non_blocking=True),
                reference_BD=inputs.reference_BD.to(device, non_blocking=True),
                speech_BTF=there(inputs.speech_BTF),
                pose_deg_BTP=there(inputs.pose_deg_BTP),
            ),
            draws=DiffusionDraws(
                time_B=draws.time_B.to(device, non_blocking=True),
                noise_BTD=draws.noise_BTD.to(device, non_blocking=True),
                dropped=Dropped(*map(there, draws.dropped)),
                edited_B=draws.edited_B.to(device, non_blocking=True),
            ),
            damaged=self.damaged,
        )


class DiffusionSamples(Dataset[DiffusionSample]):
    """Samples by `SampleKey`."""

    def __init__(self, sequences: MotionSequences, config: DiffusionLossConfig, sde: VpSde, *, seed: int) -> None:
        self.sequences = sequences
        self._config, self._sde, self._seed = config, sde, seed

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, key: SampleKey) -> DiffusionSample:
        sequence = self.sequences[key]
        generator = torch_generator(self._seed, "diffusion", key.epoch, key.item)
        return DiffusionSample(sequence, draw(sequence.target_TD[None], self._config, self._sde, generator))


def collate_samples(samples: Sequence[DiffusionSample]) -> DiffusionBatch:
    """Put samples side by side: `DataLoader(..., collate_fn=collate_samples)`."""
    sequences = collate_sequences([sample.sequence for sample in samples])
    noise_BTD = torch.zeros_like(sequences.target_BTD)
    for row, sample in enumerate(samples):
        noise_BTD[row, : len(sample.sequence.target_TD)] = sample.draws.noise_BTD[0]
    dropped = [sample.draws.dropped for sample in samples]
    return DiffusionBatch(
        target_BTD=sequences.target_BTD,
        inputs=sequences.inputs,
        draws=DiffusionDraws(
            time_B=torch.cat([sample.draws.time_B for sample in samples]),
            noise_BTD=noise_BTD,
            dropped=Dropped(
                speech_B=_joined([one.speech_B for one in dropped]),
                reference_B=_joined([one.reference_B for one in dropped]),
                text_B=_joined([one.text_B for one in dropped]),
            ),
            edited_B=torch.cat([sample.draws.edited_B for sample in samples]),
        ),
        damaged=sequences.damaged,
    )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    given = [part for part in parts if part is not None]
    return torch.cat(given) if given else None
