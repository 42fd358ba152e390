"""The motion diffusion model, tiny and trained here, under its samplers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.sampling.editing import EDITS, Known, sample_edited
from models.sampling.guidance import GuidanceConfig, GuidedPredictor
from models.sampling.long_audio import LongAudioConfig
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SamplerConfig, SeededNoise, sample
from models.sampling.sde import VpSde

SDE = VpSde()
SPEECH_DIMS = 4
LITTLE = MotionDiffusionConfig(
    width=64,
    layers=1,
    ffn_width=128,
    dropout=0.0,
    latent_shape=(4, 1, 1),
    speech_dim=SPEECH_DIMS,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
    pose=PoseConfig(enabled=False),
)


def built(config: MotionDiffusionConfig) -> MotionDiffusion:
    torch.manual_seed(0)
    return MotionDiffusion(config)


def silence(config: MotionDiffusionConfig, batch: int, frames: int) -> MotionInputs:
    """Conditions that say nothing."""
    return MotionInputs(
        mask_BT=torch.ones(batch, frames, dtype=torch.bool),
        reference_BD=torch.zeros(batch, config.target_dims),
        speech_BTF=torch.zeros(batch, frames, SPEECH_DIMS),
    )


def train(
    network: MotionDiffusion,
    draw: Callable[[torch.Generator], tuple[Tensor, MotionInputs]],
    *,
    steps: int,
    weigh: Callable[[Tensor], Tensor],
) -> MotionDiffusion:
    """Train S alone with the data loss of equation 8, weighted over times that are uniform in lambda."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, betas=(0.9, 0.98))
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / 20, 2.0 * (1.0 - i / steps)))
    highest, lowest = SDE.log_snr_half(torch.tensor([1e-3, 1.0])).tolist()
    with torch.no_grad():
        conditions = network.encode(draw(generator)[1])  # silent, and so the same in all batches but for what is known
    for _ in range(steps):
        x0_BTD, inputs = draw(generator)
        time_B = SDE.time_of(lowest + (highest - lowest) * torch.rand(len(x0_BTD), generator=generator))
        noisy_BTD = SDE.diffuse(x0_BTD, time_B, torch.randn(x0_BTD.shape, generator=generator))
        given = conditions._replace(known_BTD=inputs.known_BTD, known_mask_BTD=inputs.known_mask_BTD)
        error_BTD = network.denoise(noisy_BTD, time_B, given) - x0_BTD
        loss = (weigh(time_B)[:, None, None] * error_BTD.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return network.eval()


PATTERN_D = torch.tensor([1.0, -1.0, 1.0, 1.0])


def two_modes(generator: torch.Generator) -> tuple[Tensor, MotionInputs]:
    """The pattern or its negative, over all frames alike: conditions do not say which."""
    sign_B11 = 2.0 * torch.randint(0, 2, (64, 1, 1), generator=generator) - 1.0
    return sign_B11 * PATTERN_D.expand(64, 8, 4), silence(LITTLE, 64, 8)


def modes_of_samples(network: MotionDiffusion) -> Tensor:
    """(B,) 1 where a sample is the pattern, -1 where it is the negative."""
    made = sample_motion(network, silence(LITTLE, 300, 8), SeededNoise(range(300)), MotionSampling())
    return (made * PATTERN_D).mean((1, 2))


@pytest.mark.slow
def test_diffusion_samples_both_of_two_motions_that_fit_the_conditions() -> None:
    modes = modes_of_samples(train(built(LITTLE), two_modes, steps=200, weigh=torch.ones_like))
    assert 0.3 < (modes > 0.0).float().mean().item() < 0.7
    assert (modes.abs() > 0.8).float().mean().item() > 0.95


@pytest.mark.slow
def test_regression_collapses_to_the_mean_of_both() -> None:
    # Table 6, "w/o diffusion": what diffusion is for
    config = replace(LITTLE, objective="regression")
    modes = modes_of_samples(train(built(config), two_modes, steps=100, weigh=torch.ones_like))
    assert modes.abs().max().item() < 0.1


PAIR = replace(LITTLE, latent_shape=(2, 1, 1), edit=True)


def correlated_pairs(generator: torch.Generator) -> tuple[Tensor, MotionInputs]:
    """Two numbers per frame with correlation 0.9, the first given in half of the sequences."""
    first, rest = torch.randn(2, 128, 5, generator=generator)
    x0_BTD = torch.stack([first, 0.9 * first + 0.19**0.5 * rest], dim=-1)
    mask_BTD = torch.zeros(128, 5, 2, dtype=torch.bool)
    mask_BTD[..., 0] = torch.rand(128, 1, generator=generator) < 0.5
    return x0_BTD, silence(PAIR, 128, 5)._replace(known_BTD=x0_BTD, known_mask_BTD=mask_BTD)


def known_first(inputs: MotionInputs, value: float) -> MotionInputs:
    known_BTD = torch.full((*inputs.mask_BT.shape, inputs.reference_BD.shape[1]), torch.nan)
    known_BTD[..., 0] = value
    return inputs._replace(known_BTD=known_BTD, known_mask_BTD=~known_BTD.isnan())


@pytest.mark.slow
def test_network_trained_to_be_given_coordinates_makes_the_rest_within_a_tenth_of_exact() -> None:
    def weigh(time_B: Tensor) -> Tensor:
        # without it a few hundred steps do not reach the small spread around what is given
        return 1.0 / (SDE.sigma(time_B).square() + 0.05)

    network = train(built(PAIR), correlated_pairs, steps=500, weigh=weigh)
    inputs = known_first(silence(PAIR, 400, 5), 1.5)
    made = sample_motion(network, inputs, SeededNoise(range(400)), MotionSampling(solver=EDITS["mask_cond"]))
    assert (made[..., 0] - 1.5).abs().max().item() < 1e-6
    assert made[..., 1].mean().item() == pytest.approx(1.35, rel=0.1)
    assert made[..., 1].std().item() == pytest.approx(0.436, rel=0.1)


@pytest.fixture(scope="module")
def talking() -> MotionDiffusion:
    """A network that listens, with weights that were not trained."""
    network = built(replace(LITTLE, pose=PoseConfig(width=8), edit=True)).eval()
    torch.nn.init.normal_(network.output.weight, std=0.1)
    return network


def speech(n_frames: int, batch: int = 1) -> MotionInputs:
    generator = torch.Generator().manual_seed(5)
    return MotionInputs(
        mask_BT=torch.ones(batch, n_frames, dtype=torch.bool),
        reference_BD=torch.randn(batch, 4, generator=generator),
        speech_BTF=torch.randn(batch, n_frames, SPEECH_DIMS, generator=generator),
        pose_deg_BTP=torch.randn(batch, n_frames, 3, generator=generator),
    )


def test_clip_of_exactly_one_window_is_the_plain_sample_bit_for_bit(talking: MotionDiffusion) -> None:
    inputs = speech(20)
    config = MotionSampling(long_audio=LongAudioConfig(window_frames=20, overlap_frames=5))
    with torch.no_grad():
        conditions = talking.encode(inputs)
        plain = sample(
            lambda noisy_BTD, time_B: talking.denoise(noisy_BTD, time_B, conditions),
            SeededNoise([3]),
            20,
            4,
            config=SamplerConfig(),
            sde=SDE,
        )
    assert torch.equal(sample_motion(talking, inputs, SeededNoise([3]), config), plain)


def test_a_window_is_given_its_own_speech_and_pose(talking: MotionDiffusion) -> None:
    # 40 frames in two windows of 25 and no context: what is said after the first does not reach it
    config = MotionSampling(
        solver=SamplerConfig(steps=1), long_audio=LongAudioConfig(window_frames=25, overlap_frames=10, context_frames=0)
    )
    inputs = speech(40)
    made = sample_motion(talking, inputs, SeededNoise([0]), config)
    first = MotionInputs(
        inputs.mask_BT[:, :25], inputs.reference_BD, inputs.speech_BTF[:, :25], inputs.pose_deg_BTP[:, :25]
    )
    last = MotionInputs(
        inputs.mask_BT[:, 15:], inputs.reference_BD, inputs.speech_BTF[:, 15:], inputs.pose_deg_BTP[:, 15:]
    )
    noise_BTD = SeededNoise([0]).draw(40, 4)
    with torch.no_grad():
        alone_first = talking.denoise(noise_BTD[:, :25], torch.ones(1), talking.encode(first))
        alone_last = talking.denoise(noise_BTD[:, 15:], torch.ones(1), talking.encode(last))
    assert torch.allclose(made[:, :15], alone_first[:, :15], atol=1e-6)
    assert torch.allclose(made[:, 25:], alone_last[:, 10:], atol=1e-6)


def test_context_lets_the_speech_encoder_hear_beyond_the_window(talking: MotionDiffusion) -> None:
    inputs = speech(40)
    changed = inputs._replace(speech_BTF=inputs.speech_BTF.clone())
    changed.speech_BTF[:, 26:28] += 5.0  # after the first window, within its context of 5 frames

    def first_frames(given: MotionInputs, context_frames: int) -> Tensor:
        windows = LongAudioConfig(window_frames=25, overlap_frames=10, context_frames=context_frames)
        config = MotionSampling(solver=SamplerConfig(steps=1), long_audio=windows)
        return sample_motion(talking, given, SeededNoise([0]), config)[:, :15]

    assert torch.equal(first_frames(inputs, 0), first_frames(changed, 0))
    assert not torch.equal(first_frames(inputs, 5), first_frames(changed, 5))


def test_speech_heard_with_context_stays_at_its_frames(talking: MotionDiffusion) -> None:
    # the last window begins at frame 15 and hears from frame 10 on
    inputs = speech(40)
    windows = LongAudioConfig(window_frames=25, overlap_frames=10, context_frames=5)
    made = sample_motion(
        talking, inputs, SeededNoise([0]), MotionSampling(solver=SamplerConfig(steps=1), long_audio=windows)
    )
    heard = MotionInputs(
        inputs.mask_BT[:, 10:], inputs.reference_BD, inputs.speech_BTF[:, 10:], inputs.pose_deg_BTP[:, 10:]
    )
    with torch.no_grad():
        conditions = talking.encode(heard)
        conditions = conditions._replace(mask_BT=conditions.mask_BT[:, 5:], speech_BTC=conditions.speech_BTC[:, 5:])
        expected = talking.denoise(SeededNoise([0]).draw(40, 4)[:, 15:], torch.ones(1), conditions)
    assert torch.allclose(made[:, 25:], expected[:, 10:], atol=1e-6)


@pytest.mark.parametrize("method", EDITS)
def test_given_coordinates_stay_over_all_windows(talking: MotionDiffusion, method: str) -> None:
    inputs = known_first(speech(40), 0.7)
    config = MotionSampling(
        solver=replace(EDITS[method], steps=3),
        guidance=GuidanceConfig(speech=2.0),
        long_audio=LongAudioConfig(window_frames=25, overlap_frames=10),
    )
    made = sample_motion(talking, inputs, SeededNoise([0]), config)
    assert (made[..., 0] - 0.7).abs().max().item() < 1e-6
    assert made.isfinite().all()


def test_only_mask_cond_tells_the_network_what_is_given(talking: MotionDiffusion) -> None:
    inputs = known_first(speech(10), 0.7)
    known = Known(inputs.known_BTD, inputs.known_mask_BTD)
    for method in ("mask_cond", "replace"):
        seen = inputs if method == "mask_cond" else inputs._replace(known_BTD=None, known_mask_BTD=None)
        with torch.no_grad():
            predict = GuidedPredictor(talking, talking.encode(seen), GuidanceConfig())
        expected = sample_edited(predict, SeededNoise([0]), known, config=EDITS[method], sde=SDE)
        made = sample_motion(talking, inputs, SeededNoise([0]), MotionSampling(solver=EDITS[method]))
        assert torch.equal(made, expected)


def test_seeds_decide_the_motion(talking: MotionDiffusion) -> None:
    inputs = speech(10, batch=2)
    made = sample_motion(talking, inputs, SeededNoise([1, 2]), MotionSampling())
    assert torch.equal(made, sample_motion(talking, inputs, SeededNoise([1, 2]), MotionSampling()))
    assert not torch.equal(made, sample_motion(talking, inputs, SeededNoise([1, 3]), MotionSampling()))


def test_sampler_state_is_float32_under_bfloat16_autocast(talking: MotionDiffusion) -> None:
    inputs = speech(10)
    exact = sample_motion(talking, inputs, SeededNoise([1]), MotionSampling())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = sample_motion(talking, inputs, SeededNoise([1]), MotionSampling(guidance=GuidanceConfig(speech=1.5)))
        plain = sample_motion(talking, inputs, SeededNoise([1]), MotionSampling())
    assert made.dtype == plain.dtype == torch.float32
    assert torch.allclose(plain, exact, atol=0.03)


def test_what_does_not_fit_is_refused(talking: MotionDiffusion) -> None:
    inputs, noise = speech(10), SeededNoise([0])
    with pytest.raises(ValueError, match="2 seeds for 1 sequence;"):
        sample_motion(talking, inputs, SeededNoise([0, 1]), MotionSampling())
    with pytest.raises(ValueError, match="SamplerConfig, which does not keep"):
        sample_motion(talking, known_first(inputs, 1.0), noise, MotionSampling())
    with pytest.raises(ValueError, match="is None"):
        sample_motion(talking, inputs, noise, MotionSampling(solver=EDITS["repaint"]))
    with pytest.raises(ValueError, match="edit is False"):
        sample_motion(built(LITTLE).eval(), known_first(inputs, 1.0), noise, MotionSampling(solver=EDITS["mask_cond"]))
    with pytest.raises(ValueError, match="training mode"):
        sample_motion(built(LITTLE), inputs, noise, MotionSampling())
    padded = speech(300)
    padded.mask_BT[:, 280:] = False
    with pytest.raises(ValueError, match="some of them padding"):
        sample_motion(talking, padded, noise, MotionSampling())
