"""Small motion diffusion models that are trained here and asked whether they have learned what they were shown."""

from functools import partial
from typing import NamedTuple

import pytest
import torch

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.sampling.samplers import SAMPLERS, SeededNoise, sample
from models.sampling.sde import VpSde
from training.diffusion.loss import DiffusionLossConfig, LossSums, diffusion_loss, draw

pytestmark = pytest.mark.slow

DIMS = 8
FRAMES = 40
SDE = VpSde()
POSE_STD_DEG = 10.0
CONFIG = MotionDiffusionConfig(
    width=64,
    layers=2,
    ffn_width=128,
    dropout=0.0,
    latent_shape=(4, 1, 2),
    speech_dim=DIMS,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=128),
    pose=PoseConfig(width=32),
)


class _Batch(NamedTuple):
    inputs: MotionInputs
    target_BTD: torch.Tensor


class _Training:
    """Adam with a short warm-up and a linear way down to 2 % of the learning rate in the second half."""

    def __init__(self, steps: int, config: DiffusionLossConfig) -> None:
        torch.manual_seed(0)
        self.model = MotionDiffusion(CONFIG)
        self.model.set_pose_statistics(torch.zeros(3), torch.full((3,), POSE_STD_DEG))
        self.steps, self.config, self.done = steps, config, 0
        self.generator = torch.Generator().manual_seed(1)
        self.optimiser = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.98))

    def loss(self, batch: _Batch) -> LossSums:
        draws = draw(batch.target_BTD, self.config, SDE, self.generator)
        return diffusion_loss(self.model, batch.inputs, batch.target_BTD, draws, SDE)

    def step(self, batch: _Batch) -> None:
        rate = 2e-3 * min((self.done + 1) / 50, 1.0, max(0.02, 2.0 * (1.0 - self.done / self.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        self.loss(batch).loss().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.done += 1


def _drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _sampled(model: MotionDiffusion, inputs: MotionInputs) -> torch.Tensor:
    """One sample per sequence, with the same noise for the same place in the batch."""
    batch, frames = inputs.mask_BT.shape
    with torch.no_grad():
        predict = partial(model.denoise, conditions=model.encode(inputs))
        return sample(predict, SeededNoise(range(batch)), frames, DIMS, config=SAMPLERS["dpmpp_2m"], sde=SDE)


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def _eight_sequences() -> _Batch:
    """Speech, pose, reference and motion that have nothing to do with each other: all there is to do is to remember."""
    inputs = MotionInputs(
        mask_BT=torch.ones(8, FRAMES, dtype=torch.bool),
        reference_BD=_drawn(1, 8, DIMS),
        speech_BTF=_drawn(2, 8, FRAMES, DIMS),
        pose_deg_BTP=POSE_STD_DEG * _drawn(3, 8, FRAMES, 3),
    )
    return _Batch(inputs, _drawn(4, 8, FRAMES, DIMS))


def _talking(seed: int, batch: int, frames: int) -> _Batch:
    """Motion that is half speech, frame by frame, and half the reference; the pose follows the speech."""
    speech_BTF = _drawn(seed, batch, frames, DIMS)
    mouth_BTD = speech_BTF @ _drawn(0, DIMS, DIMS) / DIMS**0.5
    reference_BD = _drawn(seed + 1, batch, DIMS)
    inputs = MotionInputs(
        mask_BT=torch.ones(batch, frames, dtype=torch.bool),
        reference_BD=reference_BD,
        speech_BTF=speech_BTF,
        pose_deg_BTP=POSE_STD_DEG * mouth_BTD[..., :3],
    )
    return _Batch(inputs, (mouth_BTD + reference_BD[:, None]) / 2**0.5)


@pytest.fixture(scope="module")
def overfitted() -> _Training:
    training = _Training(200, DiffusionLossConfig(speech_dropout=0.0, reference_dropout=0.0))
    for _ in range(training.steps):
        training.step(_eight_sequences())
    return training


@pytest.fixture(scope="module")
def talking_model() -> MotionDiffusion:
    training = _Training(200, DiffusionLossConfig())
    for k in range(training.steps):
        training.step(_talking(1000 + 2 * k, batch=32, frames=20))
    return training.model.eval()


def test_eight_sequences_are_learned_by_heart(overfitted: _Training) -> None:
    batch = _eight_sequences()
    with torch.no_grad():
        sums = [overfitted.loss(batch) for _ in range(20)]
    assert sum(s.motion / s.motion_count for s in sums) / 20 < 1e-3
    # the pose is in standard deviations: its variance is 1
    assert sum(s.pose / s.pose_count for s in sums) / 20 < 0.01
    assert _correlation(_sampled(overfitted.model, batch.inputs), batch.target_BTD) > 0.98


def test_motion_follows_speech_that_comes_later(talking_model: MotionDiffusion) -> None:
    late, edge = 5, 12
    inputs = _talking(10, batch=16, frames=FRAMES).inputs._replace(pose_deg_BTP=None)
    assert inputs.speech_BTF is not None
    on_time = _sampled(talking_model, inputs)
    shifted = _sampled(talking_model, inputs._replace(speech_BTF=inputs.speech_BTF.roll(late, dims=1)))
    # the reference's half of the motion does not move with the speech: only what changes in time is compared
    on_time, shifted = (motion - motion.mean(1, keepdim=True) for motion in (on_time, shifted))
    by_lag = [
        _correlation(shifted[:, edge:-edge], on_time.roll(lag, dims=1)[:, edge:-edge]) for lag in range(2 * late + 1)
    ]
    assert by_lag.index(max(by_lag)) == late
    assert by_lag[late] >= 0.95
    assert by_lag[late] - max(by_lag[late - 1], by_lag[late + 1]) >= 0.15


def test_motion_is_wrong_with_the_speech_or_the_reference_of_another(talking_model: MotionDiffusion) -> None:
    batch = _talking(20, batch=16, frames=FRAMES)
    inputs = batch.inputs
    assert inputs.speech_BTF is not None
    assert inputs.pose_deg_BTP is not None
    speech_of_another = inputs._replace(
        speech_BTF=inputs.speech_BTF.roll(1, dims=0), pose_deg_BTP=inputs.pose_deg_BTP.roll(1, dims=0)
    )
    reference_of_another = inputs._replace(reference_BD=inputs.reference_BD.roll(1, dims=0))
    own, speech, reference = (
        _correlation(_sampled(talking_model, given), batch.target_BTD)
        for given in (inputs, speech_of_another, reference_of_another)
    )
    assert own > 0.8
    assert own - speech >= 0.2
    assert own - reference >= 0.3


def test_predicted_pose_follows_the_speech(talking_model: MotionDiffusion) -> None:
    batch = _talking(30, batch=16, frames=FRAMES)
    assert batch.inputs.pose_deg_BTP is not None
    predicted = talking_model.encode(batch.inputs._replace(pose_deg_BTP=None)).predicted_pose_BTP
    assert predicted is not None
    predicted_deg = predicted * talking_model.pose_std_deg_P + talking_model.pose_mean_deg_P
    error = (predicted_deg - batch.inputs.pose_deg_BTP).square().mean()
    assert error / batch.inputs.pose_deg_BTP.var() < 0.1
