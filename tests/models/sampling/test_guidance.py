"""Guidance on the real network, tiny: what weights of 0 and 1 give bit for bit, and that weights mix as they should."""

import pytest
import torch
from torch import Tensor

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Conditions, Dropped, MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.sampling.guidance import GUIDANCE, ConditionName, GuidanceConfig, GuidedPredictor, passes
from models.sampling.samplers import SamplerConfig, SeededNoise, sample
from models.sampling.sde import VpSde

SDE = VpSde()
BATCH, FRAMES, DIMS = 2, 6, 12


def small_network(condition: str) -> MotionDiffusion:
    torch.manual_seed(0)
    network = MotionDiffusion(
        MotionDiffusionConfig(
            width=64,
            layers=1,
            ffn_width=64,
            dropout=0.0,
            latent_shape=(3, 2, 2),
            speech_dim=5,
            condition="text" if condition == "text" else "speech",
            speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
            pose=PoseConfig(enabled=condition == "speech", width=8),
        )
    )
    # its last layer, and that of the attention to text, begin as zeros
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return network.double().eval()


def conditions_of(network: MotionDiffusion) -> Conditions:
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(BATCH, *shape, generator=generator, dtype=torch.float64)

    inputs = MotionInputs(mask_BT=torch.ones(BATCH, FRAMES, dtype=torch.bool), reference_BD=drawn(DIMS))
    if network.config.condition == "speech":
        inputs = inputs._replace(speech_BTF=drawn(FRAMES, 5), pose_deg_BTP=drawn(FRAMES, 3))
    else:
        inputs = inputs._replace(text_BLG=drawn(4, 768), text_mask_BL=torch.ones(BATCH, 4, dtype=torch.bool))
    with torch.no_grad():
        return network.encode(inputs)


@pytest.fixture(scope="module", params=["speech", "text"])
def network(request: pytest.FixtureRequest) -> MotionDiffusion:
    return small_network(request.param)


@pytest.fixture
def noisy() -> tuple[Tensor, Tensor]:
    z_BTD = torch.randn(BATCH, FRAMES, DIMS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return z_BTD, torch.tensor([0.3, 0.8], dtype=torch.float64)


def guided(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor], weights: dict[str, float], rescale: float = 0.0
) -> Tensor:
    config = GuidanceConfig(**weights, rescale=rescale)
    with torch.no_grad():
        return GuidedPredictor(network, conditions_of(network), config)(*noisy)


def without(network: MotionDiffusion, noisy: tuple[Tensor, Tensor], *names: str) -> Tensor:
    """Prediction with conditions dropped, straight from the network."""
    everywhere = torch.ones(BATCH, dtype=torch.bool)
    dropped = Dropped(**{f"{name}_B": everywhere for name in names})
    with torch.no_grad():
        return network.denoise(*noisy, network.drop(conditions_of(network), dropped))


def content(network: MotionDiffusion) -> ConditionName:
    return network.config.condition


def test_weights_of_one_are_the_conditional_network_bit_for_bit(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor]
) -> None:
    assert torch.equal(guided(network, noisy, {}), without(network, noisy))


def test_weights_of_zero_are_the_network_without_conditions_bit_for_bit(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor]
) -> None:
    name = content(network)
    assert torch.equal(
        guided(network, noisy, {name: 0.0, "reference": 0.0}), without(network, noisy, name, "reference")
    )
    assert torch.equal(guided(network, noisy, {name: 0.0}), without(network, noisy, name))
    assert torch.equal(guided(network, noisy, {"reference": 0.0}), without(network, noisy, "reference"))


def test_conditions_change_the_prediction(network: MotionDiffusion, noisy: tuple[Tensor, Tensor]) -> None:
    # else the tests of this file compare a network with itself
    for name in (content(network), "reference"):
        assert (without(network, noisy) - without(network, noisy, name)).abs().max().item() > 1e-3


@pytest.mark.parametrize("weight", [1.5, 2.5, 7.0])
def test_one_weight_goes_from_null_to_condition_and_on_in_a_line(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor], weight: float
) -> None:
    for name in (content(network), "reference"):
        null, full = without(network, noisy, name), without(network, noisy)
        assert torch.allclose(guided(network, noisy, {name: weight}), null + weight * (full - null), atol=1e-12)


@pytest.mark.parametrize("weight", [0.4, 2.5])
def test_equal_weights_are_guidance_of_all_conditions_as_one(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor], weight: float
) -> None:
    name = content(network)
    null, full = without(network, noisy, name, "reference"), without(network, noisy)
    made = guided(network, noisy, {name: weight, "reference": weight})
    assert torch.allclose(made, null + weight * (full - null), atol=1e-12)


def test_two_weights_follow_the_stated_formula(network: MotionDiffusion, noisy: tuple[Tensor, Tensor]) -> None:
    name = content(network)
    null, full = without(network, noisy, name, "reference"), without(network, noisy)
    only_reference = without(network, noisy, name)
    made = guided(network, noisy, {"reference": 1.5, name: 4.0})
    assert torch.allclose(made, (1 - 1.5) * null + (1.5 - 4.0) * only_reference + 4.0 * full, atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "n_passes"),
    [
        ({"speech": 1.0, "reference": 1.0}, 1),
        ({"speech": 0.0, "reference": 1.0}, 1),
        ({"speech": 0.0, "reference": 0.0}, 1),
        ({"speech": 2.5, "reference": 2.5}, 2),
        ({"speech": 2.5, "reference": 1.0}, 2),
        ({"speech": 1.0, "reference": 2.5}, 2),
        ({"speech": 1.5, "reference": 2.5}, 3),
    ],
)
def test_no_pass_is_made_that_counts_nothing(weights: dict[ConditionName, float], n_passes: int) -> None:
    made = passes(weights)
    assert len(made) == n_passes
    assert sum(a.factor for a in made) == pytest.approx(1.0)


def test_mixing_noises_by_the_weights_is_mixing_predictions(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor]
) -> None:
    z, t = noisy
    name = content(network)
    null, full = without(network, noisy, name), without(network, noisy)
    noise = SDE.noise_from_x0(z, null, t) + 3.0 * (SDE.noise_from_x0(z, full, t) - SDE.noise_from_x0(z, null, t))
    alpha, sigma = (factor[:, None, None] for factor in (SDE.alpha(t), SDE.sigma(t)))
    assert torch.allclose((z - sigma * noise) / alpha, guided(network, noisy, {name: 3.0}), atol=1e-10)


class LinearNetwork:
    """x0 = 0.3 z + reference, and without it 0.3 z: so that a whole sample is linear in the weight."""

    def drop(self, conditions: Conditions, dropped: Dropped, /) -> Conditions:
        if dropped.reference_B is None:
            return conditions
        return conditions._replace(reference_BKC=torch.zeros_like(conditions.reference_BKC))

    def denoise(self, noisy_BTD: Tensor, _: Tensor, conditions: Conditions, /) -> Tensor:
        return 0.3 * noisy_BTD + conditions.reference_BKC


def test_samples_of_a_linear_network_are_linear_in_the_weight() -> None:
    mask_BT = torch.ones(1, 5, dtype=torch.bool)
    conditions = Conditions(mask_BT, None, torch.tensor([[[0.7, -0.2]]]), None, None, None, None, None)

    def sampled(weight: float) -> Tensor:
        predict = GuidedPredictor(LinearNetwork(), conditions, GuidanceConfig(reference=weight))
        return sample(predict, SeededNoise([0]), 5, 2, config=SamplerConfig(steps=10), sde=SDE)

    at_0, at_1, at_3 = sampled(0.0), sampled(1.0), sampled(3.0)
    assert (at_1 - at_0).abs().min().item() > 0.1
    assert torch.allclose(at_3, at_0 + 3.0 * (at_1 - at_0), atol=1e-5)


def test_rescaling_takes_back_the_spread_that_guidance_adds(
    network: MotionDiffusion, noisy: tuple[Tensor, Tensor]
) -> None:
    weights = {content(network): 6.0, "reference": 6.0}
    plain, full = guided(network, noisy, weights), without(network, noisy)
    spread, wished = plain.flatten(1).std(1, correction=0), full.flatten(1).std(1, correction=0)
    assert (spread / wished - 1.0).abs().max().item() > 0.01
    entirely = guided(network, noisy, weights, rescale=1.0).flatten(1).std(1, correction=0)
    assert torch.allclose(entirely, wished, rtol=1e-9)
    mostly = guided(network, noisy, weights, rescale=0.7).flatten(1).std(1, correction=0)
    assert torch.allclose(mostly, 0.3 * spread + 0.7 * wished, rtol=1e-9)


def test_padding_has_no_part_in_rescaling() -> None:
    network, t = small_network("speech"), torch.tensor([0.3, 0.8], dtype=torch.float64)
    conditions = conditions_of(network)
    masked = conditions._replace(mask_BT=torch.tensor([[True] * 4 + [False] * 2] * 2))
    predict = GuidedPredictor(network, masked, GuidanceConfig(speech=4.0, reference=4.0, rescale=0.7))
    z = torch.randn(BATCH, FRAMES, DIMS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    other = z.clone()
    other[:, 4:] = 100.0
    with torch.no_grad():
        assert torch.allclose(predict(z, t)[:, :4], predict(other, t)[:, :4], atol=1e-12)


def test_only_the_text_preset_guides() -> None:
    assert GUIDANCE["speech"] == GuidanceConfig()
    assert GUIDANCE["text"].text == 2.5


def test_weight_of_a_condition_that_the_network_lacks_is_refused(network: MotionDiffusion) -> None:
    lacked = "text" if content(network) == "speech" else "speech"
    with pytest.raises(ValueError, match=rf"{lacked} is 2\.0"):
        GuidedPredictor(network, conditions_of(network), GuidanceConfig(**{lacked: 2.0}))


@pytest.mark.parametrize("fields", [{"speech": -1.0}, {"reference": -0.1}, {"text": -2.0}, {"rescale": 1.5}])
def test_impossible_weights_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        GuidanceConfig(**fields)
