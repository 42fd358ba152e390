from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import models.motion.conformer
from models.motion.config import MOTION_DIFFUSION_SIZES, ConditionConfig, MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.weights import WeightFacts, load_weights, save_weights

CLIP_TOKENS = 77
TINY = MotionDiffusionConfig(
    width=64,
    layers=2,
    ffn_width=96,
    dropout=0.0,
    latent_shape=(3, 4, 4),
    speech_dim=24,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=96),
    pose=PoseConfig(width=32),
)
NO_POSE = PoseConfig(enabled=False)
VARIANTS = {
    "main": TINY,
    "transformer": replace(TINY, backbone="transformer"),
    "speech and reference added": replace(TINY, cond=ConditionConfig(speech="add", ref="add")),
    "speech and reference attended to": replace(TINY, cond=ConditionConfig(speech="cross", ref="cross")),
    "speech attended to, reference added": replace(TINY, cond=ConditionConfig(speech="cross", ref="add")),
    "no pose": replace(TINY, pose=NO_POSE),
    "regression": replace(TINY, objective="regression"),
    "landmarks": replace(TINY, target="landmarks", landmark_scheme="ibug68"),
    "landmark editing": replace(TINY, target="landmarks", landmark_scheme="ibug68", edit=True),
    "text": replace(TINY, condition="text", pose=NO_POSE),
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def _model(config: MotionDiffusionConfig) -> MotionDiffusion:
    """A model whose head is not zero, as after training."""
    torch.manual_seed(0)
    model = MotionDiffusion(config).eval()
    nn.init.normal_(model.output.weight, std=0.2)
    if config.condition == "text":
        for block in model.blocks:
            nn.init.normal_(block.attended.text.output.weight, std=0.2)
    return model


def _batch(
    config: MotionDiffusionConfig, frames: int, batch: int = 2
) -> tuple[torch.Tensor, torch.Tensor, MotionInputs]:
    """z_t, t and all conditions that the config has."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=generator)

    dims, speech = config.target_dims, config.condition == "speech"
    inputs = MotionInputs(
        mask_BT=torch.ones(batch, frames, dtype=torch.bool),
        reference_BD=drawn(dims),
        speech_BTF=drawn(frames, config.speech_dim) if speech else None,
        pose_deg_BTP=10.0 * drawn(frames, 3) if config.pose.enabled else None,
        text_BLG=None if speech else drawn(CLIP_TOKENS, 768),
        text_mask_BL=None if speech else (torch.arange(CLIP_TOKENS) < 9).expand(batch, CLIP_TOKENS),
        known_BTD=drawn(frames, dims) if config.edit else None,
        known_mask_BTD=drawn(frames, dims) > 0.0 if config.edit else None,
    )
    return drawn(frames, dims), torch.linspace(0.1, 0.9, batch), inputs


def _padded(tensor: torch.Tensor | None, frames: int) -> torch.Tensor | None:
    """`tensor` with frames of garbage after its own, where it has frames at all."""
    if tensor is None:
        return None
    garbage = 7.0 * torch.randn(tensor.shape[0], frames, *tensor.shape[2:], generator=torch.Generator().manual_seed(9))
    return torch.cat([tensor, garbage.to(tensor.dtype)], dim=1)


def _outputs(
    model: MotionDiffusion, batch: tuple[torch.Tensor, torch.Tensor, MotionInputs], garbage: int
) -> Iterator[torch.Tensor]:
    """S's output, A's output with the pose, P's output, in the frames that are no padding."""
    noisy_BTD, time_B, inputs = batch
    frames = noisy_BTD.shape[1]
    mask_BT = torch.arange(frames + garbage).expand(noisy_BTD.shape[0], -1) < frames
    longer = inputs._replace(
        mask_BT=mask_BT,
        speech_BTF=_padded(inputs.speech_BTF, garbage),
        pose_deg_BTP=_padded(inputs.pose_deg_BTP, garbage),
        known_BTD=_padded(inputs.known_BTD, garbage),
        known_mask_BTD=_padded(inputs.known_mask_BTD, garbage),
    )
    noisy_BTD = torch.cat([noisy_BTD, torch.full((noisy_BTD.shape[0], garbage, noisy_BTD.shape[2]), 5.0)], dim=1)
    conditions = model.encode(longer)
    yield model.denoise(noisy_BTD, time_B, conditions)[:, :frames]
    for encoded in (conditions.speech_BTC, conditions.predicted_pose_BTP):
        if encoded is not None:
            yield encoded[:, :frames]


def _change_by_padding(config: MotionDiffusionConfig, dtype: torch.dtype) -> float:
    model, batch = _model(config).to(dtype), _batch(config, 20)
    with torch.no_grad():
        pairs = zip(_outputs(model, batch, 0), _outputs(model, batch, 60), strict=True)
        # a share of the largest number: how the last bits are rounded is the processor's choice
        return max(float((alone - padded).abs().max() / alone.abs().max()) for alone, padded in pairs)


@every_variant
@pytest.mark.parametrize(("dtype", "bar"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_frames_of_padding_do_not_reach_the_others(variant: str, dtype: torch.dtype, bar: float) -> None:
    assert _change_by_padding(VARIANTS[variant], dtype) < bar


def test_padding_would_leak_through_a_convolution_that_does_not_blank_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.motion.conformer, "blanked", lambda hidden_BTC, _: hidden_BTC)
    assert _change_by_padding(TINY, torch.float64) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", ["main", "transformer", "speech and reference attended to", "landmark editing", "text"]
)
def test_network_is_one_graph_for_the_compiler_at_every_length(variant: str) -> None:
    torch._dynamo.reset()
    model = _model(replace(VARIANTS[variant], layers=1))
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=True)
    dropped = Dropped(torch.tensor([True, False]), torch.tensor([False, True]), torch.tensor([True, False]))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for frames in (20, 31):
            noisy_BTD, time_B, inputs = _batch(VARIANTS[variant], frames)
            ours, plain = compiled(noisy_BTD, time_B, inputs, dropped), model(noisy_BTD, time_B, inputs, dropped)
            torch.testing.assert_close(ours.target_BTD, plain.target_BTD)


@pytest.mark.parametrize("way", ["autocast", "weights"])
def test_tiny_runs_forward_and_backward_in_bfloat16(way: str) -> None:
    config = MOTION_DIFFUSION_SIZES["tiny"]
    model = _model(config)
    noisy_BTD, time_B, inputs = _batch(config, 25)
    inputs = inputs._replace(speech_BTF=None if inputs.speech_BTF is None else inputs.speech_BTF.half())
    exact = model(noisy_BTD, time_B, inputs, Dropped()).target_BTD
    if way == "weights":
        model.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=way == "autocast"):
        prediction = model(noisy_BTD, time_B, inputs, Dropped())
    assert prediction.pose_BTP is not None
    (prediction.target_BTD.float().square().mean() + prediction.pose_BTP.float().square().mean()).backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)
    error = (prediction.target_BTD.float() - exact).square().mean() / exact.square().mean()
    assert error.item() < 0.05**2  # bfloat16 has 8 bits: 0.4 % per operation


@every_variant
def test_new_model_predicts_the_mean_whatever_it_is_given(variant: str) -> None:
    torch.manual_seed(0)
    model = MotionDiffusion(VARIANTS[variant])
    assert not bool(model(*_batch(VARIANTS[variant], 12), Dropped()).target_BTD.any())


def test_dropped_conditions_no_longer_matter_and_the_others_do() -> None:
    config, everywhere = TINY, torch.tensor([True, True])
    model, (noisy_BTD, time_B, inputs) = _model(config), _batch(config, 12)
    assert inputs.speech_BTF is not None
    assert inputs.pose_deg_BTP is not None
    other_speech = inputs._replace(speech_BTF=inputs.speech_BTF + 1.0, pose_deg_BTP=inputs.pose_deg_BTP + 1.0)
    other_reference = inputs._replace(reference_BD=inputs.reference_BD + 1.0)

    def predicted(given: MotionInputs, dropped: Dropped) -> torch.Tensor:
        target_BTD: torch.Tensor = model(noisy_BTD, time_B, given, dropped).target_BTD
        return target_BTD

    for dropped, same, different in (
        (Dropped(speech_B=everywhere), other_speech, other_reference),
        (Dropped(reference_B=everywhere), other_reference, other_speech),
    ):
        assert torch.equal(predicted(inputs, dropped), predicted(same, dropped))
        assert not torch.equal(predicted(inputs, dropped), predicted(different, dropped))


def test_condition_is_dropped_from_its_own_sequence_only() -> None:
    model, (noisy_BTD, time_B, inputs) = _model(TINY), _batch(TINY, 12)
    whole = model(noisy_BTD, time_B, inputs, Dropped()).target_BTD
    half = model(noisy_BTD, time_B, inputs, Dropped(speech_B=torch.tensor([True, False]))).target_BTD
    assert not torch.equal(whole[0], half[0])
    torch.testing.assert_close(whole[1], half[1])


def test_regression_looks_neither_at_the_noised_target_nor_at_the_time() -> None:
    config = VARIANTS["regression"]
    model, (noisy_BTD, time_B, inputs) = _model(config), _batch(config, 12)
    conditions = model.encode(inputs)
    assert torch.equal(
        model.denoise(noisy_BTD, time_B, conditions), model.denoise(-noisy_BTD, 0.5 * time_B, conditions)
    )


def test_given_pose_takes_the_place_of_the_predicted_one() -> None:
    model, (noisy_BTD, time_B, inputs) = _model(TINY), _batch(TINY, 12)
    model.set_pose_statistics(torch.tensor([5.0, -3.0, 1.0]), torch.tensor([10.0, 20.0, 4.0]))
    conditions = model.encode(inputs._replace(pose_deg_BTP=None))
    assert conditions.predicted_pose_BTP is not None
    predicted_deg = conditions.predicted_pose_BTP * model.pose_std_deg_P + model.pose_mean_deg_P
    given = model.encode(inputs._replace(pose_deg_BTP=predicted_deg))
    torch.testing.assert_close(model.denoise(noisy_BTD, time_B, given), model.denoise(noisy_BTD, time_B, conditions))
    other = model.encode(inputs)
    assert not torch.allclose(model.denoise(noisy_BTD, time_B, other), model.denoise(noisy_BTD, time_B, conditions))


def test_pose_is_standardised_by_the_training_sets_statistics() -> None:
    model = _model(TINY)
    model.set_pose_statistics(torch.tensor([5.0, -3.0, 1.0]), torch.tensor([10.0, 20.0, 4.0]))
    pose_deg_BTP = torch.tensor([[[15.0, -23.0, 1.0]]])
    assert model.standardised_pose(pose_deg_BTP).tolist() == [[[1.0, -1.0, 0.0]]]
    with pytest.raises(ValueError, match="give degrees above 0"):
        model.set_pose_statistics(torch.zeros(3), torch.tensor([1.0, 0.0, 1.0]))


def test_pose_loss_reaches_the_pose_predictor_alone() -> None:
    model, batch = _model(TINY), _batch(TINY, 12)
    pose_BTP = model(*batch, Dropped()).pose_BTP
    assert pose_BTP is not None
    pose_BTP.square().mean().backward()
    touched = {name.partition(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert touched == {"pose_predictor"}


def test_unknown_coordinates_are_not_looked_at_in_editing() -> None:
    config = VARIANTS["landmark editing"]
    model, (noisy_BTD, time_B, inputs) = _model(config), _batch(config, 12)
    assert inputs.known_BTD is not None
    assert inputs.known_mask_BTD is not None

    def predicted(known_BTD: torch.Tensor) -> torch.Tensor:
        return model.denoise(noisy_BTD, time_B, model.encode(inputs._replace(known_BTD=known_BTD)))

    unknown, known = ~inputs.known_mask_BTD, inputs.known_mask_BTD
    assert torch.equal(predicted(inputs.known_BTD), predicted(inputs.known_BTD + unknown))
    assert not torch.equal(predicted(inputs.known_BTD), predicted(inputs.known_BTD + known))


def test_text_after_its_end_is_not_looked_at() -> None:
    config = VARIANTS["text"]
    model, (noisy_BTD, time_B, inputs) = _model(config), _batch(config, 12)
    assert inputs.text_BLG is not None
    assert inputs.text_mask_BL is not None

    def predicted(text_BLG: torch.Tensor) -> torch.Tensor:
        return model.denoise(noisy_BTD, time_B, model.encode(inputs._replace(text_BLG=text_BLG)))

    after, before = ~inputs.text_mask_BL[..., None], inputs.text_mask_BL[..., None]
    assert torch.equal(predicted(inputs.text_BLG), predicted(inputs.text_BLG + after))
    assert not torch.allclose(predicted(inputs.text_BLG), predicted(inputs.text_BLG + before))


@pytest.mark.parametrize("variant", ["speech and reference attended to", "speech attended to, reference added"])
def test_speech_that_is_attended_to_has_an_order(variant: str) -> None:
    model, (noisy_BTD, time_B, inputs) = _model(VARIANTS[variant]), _batch(VARIANTS[variant], 12)
    conditions = model.encode(inputs)
    assert conditions.speech_BTC is not None
    backwards = conditions._replace(speech_BTC=conditions.speech_BTC.flip(1))
    assert not torch.allclose(
        model.denoise(noisy_BTD, time_B, conditions), model.denoise(noisy_BTD, time_B, backwards), atol=1e-3
    )


def test_missing_condition_is_named() -> None:
    model, (noisy_BTD, time_B, inputs) = _model(TINY), _batch(TINY, 12)
    with pytest.raises(ValueError, match="speech_BTF is None"):
        model(noisy_BTD, time_B, inputs._replace(speech_BTF=None), Dropped())


@every_variant
def test_model_that_was_saved_and_loaded_predicts_the_same_bits(variant: str, tmp_path: Path) -> None:
    config, facts = VARIANTS[variant], WeightFacts(landmark_scheme="ibug68", speech_encoder="made-up")
    model = _model(config)
    if config.pose.enabled:
        model.set_pose_statistics(torch.tensor([5.0, -3.0, 1.0]), torch.tensor([10.0, 20.0, 4.0]))
    save_weights(tmp_path / "motion.safetensors", model, config, facts)
    loaded = load_weights(tmp_path / "motion.safetensors", MotionDiffusion, MotionDiffusionConfig, facts)
    assert loaded.config == config
    batch = _batch(config, 12)
    assert torch.equal(model(*batch, Dropped()).target_BTD, loaded(*batch, Dropped()).target_BTD)
