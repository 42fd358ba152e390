from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from foundation.settings import SettingsError
from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import Dropped, MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.sampling.sde import VpSde
from models.vae.vae import VAE_SIZES, Vae, VaeConfig
from training.data.selection import DataConfig
from training.diffusion.loss import DiffusionLossConfig, diffusion_loss, draw
from training.experiments.experiment import Experiment, experiment_names, load_experiment, read_experiment

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FRAMES = 6
every_experiment = pytest.mark.parametrize("name", experiment_names())

ROWS = {
    "Table 4, 80M, 0.5K hours",
    "Table 4, 80M, 1K hours",
    "Table 4, 700M, 1K hours",
    "Table 4, 1.7B, 1K hours",
    "Table 5, 180M, 0.1K hours",
    "Table 5, 180M, 1K hours; Tables 6 and 9, GAIA (700M + 180M)",
    "Table 5, 600M, 1K hours",
    "Table 5, 1.2B, 1K hours",
    "Table 6, w/o disentanglement",
    "Table 6, w/o head pose",
    "Table 6, w/o diffusion",
    "Table 6, w. landmark prediction",
    "Table 7, GAIA (VoxCeleb2)",
    "Table 9, Spe. Add. & Ref. Add.",
    "Table 9, Spe. Att. & Ref. Att.",
    "Table 9, Spe. Att. & Ref. Add.",
    "Table 9, w/ Transformer",
    "section 5.4, Fully Controllable Talking Avatar Generation",
    "section 5.4, Text-driven Video Generation",
}


def _narrow(config: MotionDiffusionConfig) -> MotionDiffusionConfig:
    return replace(
        config,
        width=64,
        layers=1,
        ffn_width=64,
        speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
        pose=PoseConfig(enabled=config.pose.enabled, width=16),
    )


def _inputs(config: MotionDiffusionConfig, speech_BTF: torch.Tensor) -> MotionInputs:
    speech = config.condition == "speech"
    return MotionInputs(
        mask_BT=torch.arange(FRAMES) < torch.tensor([[FRAMES], [FRAMES - 2]]),
        reference_BD=torch.randn(2, config.target_dims),
        speech_BTF=speech_BTF if speech else None,
        pose_deg_BTP=torch.randn(2, FRAMES, 3) if config.pose.enabled else None,
        text_BLG=None if speech else torch.randn(2, 77, 768),
        text_mask_BL=None if speech else torch.ones(2, 77, dtype=torch.bool),
    )


def _gradient_norms(module: nn.Module) -> dict[str, float]:
    assert all(parameter.grad is not None for parameter in module.parameters())
    return {
        name: float(parameter.grad.norm())
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def test_every_row_of_the_papers_tables_has_a_config() -> None:
    assert {load_experiment(name).origin for name in experiment_names()} == ROWS
    assert len(experiment_names()) == len(ROWS)


@every_experiment
def test_diffusion_model_of_each_row_takes_a_step(name: str) -> None:
    config = load_experiment(name).diffusion
    if config is None:
        assert name.startswith(("table4", "table7"))
        return
    torch.manual_seed(0)
    model, extractor = MotionDiffusion(_narrow(config)), nn.Linear(8, config.speech_dim).requires_grad_(False)
    nn.init.normal_(model.output.weight, std=0.1)  # a head of zeros passes no gradient on in the first step
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs = _inputs(config, extractor(torch.randn(2, FRAMES, 8)))
    target_BTD = torch.randn(2, FRAMES, config.target_dims)
    generator, sde = torch.Generator().manual_seed(0), VpSde()
    before = [parameter.clone() for parameter in model.parameters()]
    # each condition is dropped from one sequence and kept for the other: no parameter may be left out
    first, second = torch.tensor([True, False]), torch.tensor([False, True])
    draws = draw(target_BTD, DiffusionLossConfig(), sde, generator)
    draws = draws._replace(dropped=Dropped(speech_B=first, reference_B=second, text_B=first))
    diffusion_loss(model, inputs, target_BTD, draws, sde).loss().backward()
    norms = _gradient_norms(model)
    optimiser.step()
    assert all(torch.isfinite(torch.tensor(list(norms.values()))))
    idle = {parameter for parameter, norm in norms.items() if norm == 0.0}
    # regression looks at no noised target; a new text attention has a head of zeros, which hides what is before it
    expected = {
        "regression": {"input.weight"},
        "text": {
            parameter for parameter in norms if parameter.startswith(("text.", "null_text", "blocks.0.attended.text"))
        },
    }.get(config.objective if config.objective == "regression" else config.condition, set())
    assert idle <= expected
    moved = {n: not torch.equal(a, b) for (n, a), b in zip(model.named_parameters(), before, strict=True)}
    assert {n for n, has_moved in moved.items() if not has_moved} == idle
    assert all(parameter.grad is None for parameter in extractor.parameters())
    held = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in model.parameters()}


@every_experiment
def test_vae_of_each_row_takes_a_step(name: str) -> None:
    experiment = load_experiment(name)
    torch.manual_seed(0)
    config = replace(experiment.vae, width=8, n_layers=1, groups=4, image_px=32)
    vae = Vae(config)
    pictures, landmarks = torch.randn(1, 3, 32, 32), torch.randn(1, 3, 32, 32)
    output = vae(pictures, landmarks if config.disentangled else None, None)
    (output.image_BCHW - pictures).abs().mean().backward()
    moved = [parameter.grad is not None and bool(parameter.grad.any()) for parameter in vae.decoder.parameters()]
    assert all(moved)


@every_experiment
def test_networks_of_each_row_fit_together(name: str) -> None:
    experiment = load_experiment(name)
    if experiment.diffusion is None or experiment.diffusion.target == "landmarks":
        return
    latent = experiment.vae.motion_shape if experiment.vae.disentangled else experiment.vae.appearance_shape
    assert experiment.diffusion.latent_shape == latent


def test_rows_of_tables_6_and_9_differ_from_the_main_model_in_one_thing() -> None:
    main = load_experiment("table5_diffusion_0180m")
    assert main.diffusion == MOTION_DIFFUSION_SIZES["small"]
    assert main.vae == VAE_SIZES["base"]
    for name in experiment_names():
        if name.startswith(("table6", "table9")):
            assert _differences(main, load_experiment(name)) == DIFFERENCES[name], name


DIFFERENCES = {
    "table6_without_disentanglement": {
        "vae.disentangled": False,
        "diffusion.target": "frame_latent",
        "diffusion.latent_shape": (3, 32, 32),
    },
    "table6_without_head_pose": {"diffusion.pose.enabled": False},
    "table6_without_diffusion": {"diffusion.objective": "regression"},
    "table6_landmark_prediction": {
        "diffusion.target": "landmarks",
        "diffusion.landmark_scheme": "mediapipe478",
        "diffusion.edit": False,
    },
    "table9_speech_add_ref_add": {"diffusion.cond.ref": "add"},
    "table9_speech_cross_ref_cross": {"diffusion.cond.speech": "cross"},
    "table9_speech_cross_ref_add": {"diffusion.cond.speech": "cross", "diffusion.cond.ref": "add"},
    "table9_transformer": {"diffusion.backbone": "transformer"},
}


def _leaves(config: "DataclassInstance", prefix: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        leaves |= _leaves(value, f"{prefix}{field.name}.") if is_dataclass(value) else {prefix + field.name: value}
    return leaves


def _differences(main: Experiment, other: Experiment) -> dict[str, object]:
    ours, theirs = _leaves(main), _leaves(other)
    return {
        name: value
        for name, value in theirs.items()
        if value != ours[name] and name not in {"name", "origin", "changes"}
    }


def test_rows_on_scale_and_data_say_how_much_of_both() -> None:
    def of(name: str) -> tuple[VaeConfig, MotionDiffusionConfig | None, DataConfig]:
        experiment = load_experiment(name)
        return experiment.vae, experiment.diffusion, experiment.data

    small, base, large = (VAE_SIZES[size] for size in ("small", "base", "large"))
    everything = DataConfig()
    assert of("table4_vae_0080m_500h") == (small, None, DataConfig(hours_subset=500))
    assert of("table4_vae_0080m") == (small, None, everything)
    assert of("table4_vae_0700m") == (base, None, everything)
    assert of("table4_vae_1700m") == (large, None, everything)
    sizes = MOTION_DIFFUSION_SIZES
    assert of("table5_diffusion_0180m_100h") == (base, sizes["small"], DataConfig(hours_subset=100))
    assert of("table5_diffusion_0600m") == (base, sizes["base"], everything)
    assert of("table5_diffusion_1200m") == (base, sizes["large"], everything)
    assert of("table7_voxceleb2") == (small, None, DataConfig(sources=("voxceleb2",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "origin: x\nvae: {size: base}\ndifusion: {size: small}",
            "x: section 'difusion' is unknown; the nearest known one is 'diffusion'",
        ),
        (
            "origin: x\nvae: {size: base, disentangle: no}",
            "x.vae: setting 'disentangle' is unknown; the nearest known one is 'disentangled'",
        ),
        (
            "origin: x\nvae: {size: base}\ndiffusion: {size: small, cond: {reff: add}}",
            "x.diffusion: setting 'cond.reff' is unknown; the nearest known one is 'cond.ref'",
        ),
        ("origin: x\nvae: {size: huge}", "give a size among its names: tiny, small, base, large"),
        ("origin: x\nvae: {width: 3}", "give a size among its names"),
        ("origin: x\nvae: {size: base}\ndata: {hours_subset: half}", "x.data: setting 'hours_subset' is 'half'"),
        ("vae: {size: base}", "give the sections origin, vae"),
        ("- a\n- b", "give the sections"),
        ("a: [", "x is no YAML"),
    ],
)
def test_what_no_config_knows_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_experiment(text, "x")


def test_unknown_row_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="the nearest known one is 'table9_transformer'"):
        load_experiment("table9_transfomer")


def test_every_config_is_one_file(repository: Path) -> None:
    files = (repository / "training" / "experiments").glob("*.yaml")
    assert sorted(file.stem for file in files) == sorted(experiment_names())
