from dataclasses import replace

import pytest
import torch
from torch import nn

from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig
from models.motion.diffusion import MotionDiffusion
from models.vae.config import VAE_SIZES
from training.experiments.parameters import WAV2VEC2_BASE_PARAMETERS
from training.presets import SIZES

TINY = MOTION_DIFFUSION_SIZES["tiny"]


def _millions(module: nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def _on_paper(config: MotionDiffusionConfig) -> MotionDiffusion:
    with torch.device("meta"):
        return MotionDiffusion(config)


@pytest.mark.parametrize(
    ("size", "blocks", "speech", "rest", "trainable", "total", "paper"),
    [
        ("small", 59.94, 25.65, 3.8, 89.39, 183.8, 180.0),
        ("base", 464.8, 26.04, 12.8, 503.6, 597.9, 600.0),
        ("large", 1007.8, 26.44, 26.4, 1060.7, 1155.1, 1200.0),
    ],
)
def test_parameters_are_as_many_as_the_papers(
    size: str, blocks: float, speech: float, rest: float, trainable: float, total: float, paper: float
) -> None:
    model = _on_paper(MOTION_DIFFUSION_SIZES[size])
    assert model.speech is not None
    ours_blocks, ours_speech, ours = _millions(model.blocks), _millions(model.speech), _millions(model)
    assert ours_blocks == pytest.approx(blocks, rel=0.005)
    assert ours_speech == pytest.approx(speech, rel=0.005)
    assert ours - ours_blocks - ours_speech == pytest.approx(rest, rel=0.005)
    assert ours == pytest.approx(trainable, rel=0.005)
    assert ours + WAV2VEC2_BASE_PARAMETERS / 1e6 == pytest.approx(total, rel=0.005)
    assert ours + WAV2VEC2_BASE_PARAMETERS / 1e6 == pytest.approx(paper, rel=0.04)


@pytest.mark.parametrize(
    ("size", "transformer_blocks", "frame_latent", "landmarks"),
    [("small", 59.87, 186.5, 184.1), ("base", 464.4, 604.8, 598.7), ("large", 1007.2, 1166.0, 1156.0)],
)
def test_ablations_have_as_many_parameters_as_the_model_they_are_compared_with(
    size: str, transformer_blocks: float, frame_latent: float, landmarks: float
) -> None:
    main = MOTION_DIFFUSION_SIZES[size]
    transformer = _on_paper(replace(main, backbone="transformer"))
    assert _millions(transformer.blocks) == pytest.approx(transformer_blocks, rel=0.005)
    assert _millions(transformer.blocks) == pytest.approx(_millions(_on_paper(main).blocks), rel=0.0015)
    whole_frames = _on_paper(replace(main, target="frame_latent", latent_shape=(3, 32, 32)))
    assert _millions(whole_frames) + WAV2VEC2_BASE_PARAMETERS / 1e6 == pytest.approx(frame_latent, rel=0.005)
    points = _on_paper(replace(main, target="landmarks", landmark_scheme="mediapipe478"))
    assert _millions(points) + WAV2VEC2_BASE_PARAMETERS / 1e6 == pytest.approx(landmarks, rel=0.005)


def test_tiny_is_about_a_million_parameters() -> None:
    assert 0.5 < _millions(_on_paper(MOTION_DIFFUSION_SIZES["tiny"])) < 2.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100}, "multiple of 64"),
        ({"layers": 0}, "layers is 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"landmark_scheme": "ibug68"}, "give a scheme"),
        ({"target": "landmarks", "landmark_scheme": "wflw98"}, "'wflw98' is unknown"),
        ({"condition": "text"}, "takes neither speech nor pose"),
    ],
)
def test_configs_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


def test_a_network_of_landmarks_needs_their_number() -> None:
    config = replace(TINY, target="landmarks")  # the trainer puts in the scheme of the dataset
    with pytest.raises(ValueError, match="landmark_scheme is None"):
        MotionDiffusion(config)
    assert replace(config, landmark_scheme="ibug68").target_dims == 136


def test_both_networks_come_in_the_sizes_that_commands_offer() -> None:
    assert list(MOTION_DIFFUSION_SIZES) == list(VAE_SIZES) == list(SIZES)
