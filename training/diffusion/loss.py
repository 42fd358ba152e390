"""Loss of the motion diffusion model: S, A and P trained together (GAIA section 4.3, equation 8).

    L_dif = E [ ||z_0 predicted - z_0||^2 ] + L_mse(x^p, x^p predicted)

Both terms are means over all values of the frames that are not padding. Sums and counts are kept apart: a step of
several ranks or accumulated batches divides by the counts of all of them.

Shapes: B sequences, T frames, D numbers of the target per frame, P = 3 angles.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.motion.diffusion import MotionDiffusion
from models.motion.face_landmarks import outside_mouth_and_jaw
from models.motion.inputs import Dropped, MotionInputs, MotionPrediction
from models.sampling.sde import VpSde
from training.diffusion.config import DiffusionLossConfig

__all__ = ["DiffusionDraws", "DiffusionLossConfig", "LossSums", "diffusion_loss", "draw"]


class DiffusionDraws(NamedTuple):
    """Random numbers of one batch."""

    time_B: Tensor
    """t, uniform over the process."""
    noise_BTD: Tensor
    """Standard normal."""
    dropped: Dropped
    edited_B: Tensor
    """True where known coordinates are given; ignored by a model that cannot edit."""


class LossSums(NamedTuple):
    """Sums of squared errors, and the number of values in each."""

    motion: Tensor
    motion_count: Tensor
    pose: Tensor
    """0 where the model has no pose."""
    pose_count: Tensor

    def loss(self) -> Tensor:
        """Return equation 8 over these sums alone."""
        return self.motion / self.motion_count + self.pose / self.pose_count


def draw(target_BTD: Tensor, config: DiffusionLossConfig, sde: VpSde, generator: torch.Generator) -> DiffusionDraws:
    """Draw times, noise and dropped conditions for a batch; the generator lies on the target's device."""
    batch, device = target_BTD.shape[0], target_BTD.device

    def uniform() -> Tensor:
        return torch.rand(batch, generator=generator, device=device)

    content_B = uniform() < config.speech_dropout
    return DiffusionDraws(
        time_B=sde.training_times(uniform()),
        noise_BTD=torch.randn(target_BTD.shape, generator=generator, device=device),
        dropped=Dropped(speech_B=content_B, reference_B=uniform() < config.reference_dropout, text_B=content_B),
        edited_B=uniform() < config.edit_share,
    )


def diffusion_loss(
    model: MotionDiffusion, inputs: MotionInputs, target_BTD: Tensor, draws: DiffusionDraws, sde: VpSde
) -> LossSums:
    """Run the model on noised targets and return the sums of equation 8.

    Args:
        model: of any objective; `regression` ignores the noised target and the time.
        inputs: the conditions; with a pose where the model has one (it is trained with the true pose).
        target_BTD: (B, T, D) z_0, standardised.
        draws: of `draw`.
        sde: the process.
    """
    if model.config.edit:
        known_D = outside_mouth_and_jaw(model.config).to(target_BTD.device)
        known_mask_BTD = (draws.edited_B[:, None, None] & known_D).expand_as(target_BTD)
        inputs = inputs._replace(known_BTD=target_BTD, known_mask_BTD=known_mask_BTD)
    noisy_BTD = sde.diffuse(target_BTD, draws.time_B, draws.noise_BTD)
    prediction: MotionPrediction = model(noisy_BTD, draws.time_B, inputs, draws.dropped)
    motion, motion_count = _squared(prediction.target_BTD, target_BTD, inputs.mask_BT)
    pose, pose_count = torch.zeros_like(motion), torch.ones_like(motion_count)
    if prediction.pose_BTP is not None:
        if inputs.pose_deg_BTP is None:
            raise ValueError(
                "MotionInputs.pose_deg_BTP is None; the pose predictor is trained on the true pose: give it"
            )
        true_BTP = model.standardised_pose(inputs.pose_deg_BTP)
        pose, pose_count = _squared(prediction.pose_BTP, true_BTP, inputs.mask_BT)
    return LossSums(motion, motion_count, pose, pose_count)


def _squared(predicted_BTX: Tensor, true_BTX: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of squared errors of all values outside padding, in float32 or finer, and their number."""
    difference_BTX = torch.where(mask_BT[..., None], predicted_BTX.to(true_BTX.dtype) - true_BTX, 0.0)
    return difference_BTX.square().sum(), mask_BT.sum() * true_BTX.shape[-1]
