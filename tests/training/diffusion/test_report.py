from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from models.motion.inputs import Conditions, Dropped, MotionInputs
from models.sampling.sample_motion import MotionSampling
from training.diffusion.report import check_motion
from training.diffusion.sequences import MotionSequence

DIMS = 4


class _KnowingNetwork(nn.Module):
    """Predicts reference + `speech_share` of the speech whatever the noise, and `pose_error` off the true pose 0."""

    def __init__(self, speech_share: float, pose_error: float = 0.0) -> None:
        super().__init__()
        self.config = SimpleNamespace(target_dims=DIMS, edit=False, pose=SimpleNamespace(enabled=True))
        self.speech_share, self.pose_error = speech_share, pose_error
        self.anywhere = nn.Parameter(torch.zeros(1))
        self.eval()

    def encode(self, inputs: MotionInputs) -> Conditions:
        assert inputs.speech_BTF is not None
        return Conditions(
            mask_BT=inputs.mask_BT,
            speech_BTC=inputs.speech_BTF,
            reference_BKC=inputs.reference_BD[:, None],
            text_BLC=None,
            text_mask_BL=None,
            known_BTD=None,
            known_mask_BTD=None,
            predicted_pose_BTP=torch.full((*inputs.mask_BT.shape, 3), self.pose_error),
        )

    def drop(self, conditions: Conditions, dropped: Dropped) -> Conditions:
        assert dropped == Dropped()
        return conditions

    def denoise(self, _: Tensor, __: Tensor, conditions: Conditions) -> Tensor:
        assert conditions.speech_BTC is not None
        return conditions.reference_BKC + self.speech_share * conditions.speech_BTC

    def standardised_pose(self, pose_deg_BTP: Tensor) -> Tensor:
        return pose_deg_BTP / 10.0


def _clips(lengths: tuple[int, ...]) -> Iterator[MotionSequence]:
    """Motion is the speech, with other means in each clip; head poses are 20 degrees, 2 standard deviations."""
    for number, n_frames in enumerate(lengths):
        drawn = torch.Generator().manual_seed(number)
        speech_TF = torch.randn(n_frames, DIMS, generator=drawn)
        speech_TF -= speech_TF.mean(0)
        reference_D = 3.0 * torch.randn(DIMS, generator=drawn)
        yield MotionSequence(
            target_TD=reference_D + speech_TF,
            reference_D=reference_D,
            speech_TF=speech_TF,
            pose_deg_TP=torch.full((n_frames, 3), 20.0),
        )


def test_a_network_that_follows_the_speech_loses_everything_with_anothers() -> None:
    check = check_motion(_KnowingNetwork(1.0), list(_clips((300, 200, 250))), MotionSampling(), seed=0)
    assert check.motion.own == pytest.approx(1.0, abs=1e-5)
    assert abs(check.motion.shuffled) < 0.05
    assert check.motion.drop > 0.9
    assert check.latents.own == pytest.approx(1.0, abs=1e-5)
    # the means, of variance 9, are right in either case; of motion, of variance 1, none is: about 9 / 10
    assert check.latents.shuffled == pytest.approx(0.9, abs=0.06)
    assert check.n_clips == 3


def test_a_network_that_does_not_hear_loses_nothing() -> None:
    clips = list(_clips((100, 100)))
    check = check_motion(_KnowingNetwork(0.0), clips, MotionSampling(), seed=0)
    assert check.motion == (0.0, 0.0)
    assert check.latents.drop == 0.0
    assert check.latents.own > 0.8


def test_the_pose_is_compared_with_the_mean_pose_in_variances() -> None:
    check = check_motion(_KnowingNetwork(1.0, pose_error=1.5), list(_clips((50, 60))), MotionSampling(), seed=0)
    assert check.pose_mse == pytest.approx(0.25)
    assert check.mean_pose_mse == pytest.approx(4.0)
    assert check.metrics()["mean_pose_mse"] == pytest.approx(4.0)


def test_one_clip_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="two or more"):
        check_motion(_KnowingNetwork(1.0), list(_clips((50,))), MotionSampling(), seed=0)
