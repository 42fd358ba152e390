from dataclasses import replace

import pytest
import torch

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.sampling.sde import VpSde
from training.diffusion.loss import DiffusionDraws, DiffusionLossConfig, LossSums, diffusion_loss, draw

SDE = VpSde()
CONFIG = MotionDiffusionConfig(
    width=64,
    layers=1,
    ffn_width=64,
    dropout=0.0,
    latent_shape=(1, 1, 2),
    speech_dim=4,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
    pose=PoseConfig(width=16),
)


def _inputs(lengths: list[int], frames: int) -> MotionInputs:
    generator, batch = torch.Generator().manual_seed(0), len(lengths)
    return MotionInputs(
        mask_BT=torch.arange(frames) < torch.tensor(lengths)[:, None],
        reference_BD=torch.randn(batch, 2, generator=generator),
        speech_BTF=torch.randn(batch, frames, 4, generator=generator),
        pose_deg_BTP=torch.randn(batch, frames, 3, generator=generator),
    )


def _model(config: MotionDiffusionConfig = CONFIG) -> MotionDiffusion:
    torch.manual_seed(0)
    return MotionDiffusion(config)


def test_loss_is_the_mean_over_frames_that_are_no_padding() -> None:
    # a new model predicts 0, so the error is the target itself; the third frame of the second sequence is padding
    target_BTD = torch.tensor([[[1.0, 2.0], [0.0, 3.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    inputs = _inputs([3, 2], frames=3)
    model = _model()
    torch.nn.init.zeros_(model.pose_predictor.output.weight)
    torch.nn.init.zeros_(model.pose_predictor.output.bias)
    model.set_pose_statistics(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([2.0, 1.0, 1.0]))
    inputs = inputs._replace(pose_deg_BTP=torch.tensor([5.0, 3.0, 1.0]).expand(2, 3, 3))
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(0))
    sums = diffusion_loss(model, inputs, target_BTD, draws, SDE)
    assert [number.item() for number in sums] == [16.0 + 5.0, 10.0, 5 * (4.0 + 9.0 + 1.0), 15.0]
    assert sums.loss().item() == pytest.approx(2.1 + 14.0 / 3.0)


def test_sums_of_two_batches_give_the_gradient_of_one() -> None:
    lengths, frames = [7, 3, 5, 1], 7
    inputs = _inputs(lengths, frames)
    target_BTD = torch.randn(4, frames, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(2))
    whole, halves = _model().double(), _model().double()
    torch.nn.init.normal_(whole.output.weight)
    halves.load_state_dict(whole.state_dict())
    diffusion_loss(whole, inputs, target_BTD, draws, SDE).loss().backward()
    numbers = sum(lengths)
    for part in (slice(0, 2), slice(2, 4)):
        own = MotionInputs(*(None if tensor is None else tensor[part] for tensor in inputs))
        dropped = Dropped(*(None if tensor is None else tensor[part] for tensor in draws.dropped))
        own_draws = DiffusionDraws(draws.time_B[part], draws.noise_BTD[part], dropped, draws.edited_B[part])
        sums = diffusion_loss(halves, own, target_BTD[part], own_draws, SDE)
        (sums.motion / (2 * numbers) + sums.pose / (3 * numbers)).backward()
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=0)


def test_garbage_in_padding_does_not_change_the_loss() -> None:
    inputs, target_BTD = _inputs([7, 3], 7), torch.randn(2, 7, 2, generator=torch.Generator().manual_seed(1))
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(2))
    model = _model()
    torch.nn.init.normal_(model.output.weight)
    assert inputs.speech_BTF is not None
    assert inputs.pose_deg_BTP is not None
    padding = ~inputs.mask_BT[..., None]
    spoilt = inputs._replace(
        speech_BTF=inputs.speech_BTF.masked_fill(padding, 1e3),
        pose_deg_BTP=inputs.pose_deg_BTP.masked_fill(padding, 1e3),
    )
    ours = diffusion_loss(model, spoilt, target_BTD.masked_fill(padding, 1e3), draws, SDE)
    for one, other in zip(ours, diffusion_loss(model, inputs, target_BTD, draws, SDE), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_draws_are_uniform_in_time_and_drop_conditions_independently() -> None:
    target_BTD = torch.zeros(20_000, 1, 2)
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(0))
    deciles = torch.histc(draws.time_B, bins=10, min=0.0, max=1.0)
    assert float(((deciles - 2000.0) ** 2 / 2000.0).sum()) < 21.7  # chi square of 9 degrees of freedom, p = 0.01
    assert draws.time_B.min() >= 1e-5
    assert draws.noise_BTD.std().item() == pytest.approx(1.0, abs=0.02)
    speech_B, reference_B = draws.dropped.speech_B, draws.dropped.reference_B
    assert speech_B is not None
    assert reference_B is not None
    # four standard deviations of a share of 20,000
    assert speech_B.float().mean().item() == pytest.approx(0.1, abs=0.0085)
    assert reference_B.float().mean().item() == pytest.approx(0.1, abs=0.0085)
    assert (speech_B & reference_B).float().mean().item() == pytest.approx(0.01, abs=0.0028)
    assert draws.edited_B.float().mean().item() == pytest.approx(0.5, abs=0.014)


def test_draws_follow_from_the_seed() -> None:
    def drawn(seed: int) -> DiffusionDraws:
        return draw(torch.zeros(3, 2, 2), DiffusionLossConfig(), SDE, torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(1).noise_BTD, drawn(1).noise_BTD)
    assert torch.equal(drawn(1).time_B, drawn(1).time_B)
    assert not torch.equal(drawn(1).noise_BTD, drawn(2).noise_BTD)


class _Recorder(MotionDiffusion):
    """Remembers what it was given."""

    def forward(self, noisy_BTD: torch.Tensor, time_B: torch.Tensor, inputs: MotionInputs, dropped: Dropped) -> object:
        self.given = inputs
        return super().forward(noisy_BTD, time_B, inputs, dropped)


def test_editing_gives_half_of_the_sequences_all_points_but_mouth_and_jaw() -> None:
    config = replace(CONFIG, target="landmarks", landmark_scheme="ibug68", edit=True)
    model, inputs = _Recorder(config), _inputs([3, 3], 3)._replace(reference_BD=torch.randn(2, 136))
    target_BTD = torch.randn(2, 3, 136)
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(0))
    diffusion_loss(model, inputs, target_BTD, draws._replace(edited_B=torch.tensor([True, False])), SDE)
    known_BTK = model.given.known_mask_BTD.unflatten(-1, (68, 2))
    # of 68 points 0 to 16 are the jaw and 48 to 67 the lips
    assert known_BTK[0].all(dim=(0, 2)).nonzero().flatten().tolist() == list(range(17, 48))
    assert not known_BTK[0, :, [*range(17), *range(48, 68)]].any()
    assert not known_BTK[1].any()
    assert torch.equal(model.given.known_BTD, target_BTD)


def test_model_with_pose_is_not_trained_without_the_true_one() -> None:
    target_BTD = torch.zeros(2, 3, 2)
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="pose_deg_BTP is None"):
        diffusion_loss(_model(), _inputs([3, 2], 3)._replace(pose_deg_BTP=None), target_BTD, draws, SDE)


def test_sums_without_pose_are_the_motion_alone() -> None:
    model = _model(replace(CONFIG, pose=PoseConfig(enabled=False)))
    target_BTD = torch.ones(2, 3, 2)
    draws = draw(target_BTD, DiffusionLossConfig(), SDE, torch.Generator().manual_seed(0))
    sums: LossSums = diffusion_loss(model, _inputs([3, 2], 3), target_BTD, draws, SDE)
    assert sums.loss().item() == 1.0
