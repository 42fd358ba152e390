from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generation import GenerationError
from generation.animation import speech_driven
from generation.networks import motion_of_speech
from generation.request import GenerationJob, MotionOptions
from generation.trained_run import load_run
from models.sampling.samplers import SAMPLERS, SamplerConfig

JOB = GenerationJob(run=Path("run"), portrait=Path("me.jpg"), out=Path("out/me.mp4"), speech=Path("hello.wav"))


def test_a_sampler_has_its_own_grid_and_steps_unless_steps_are_given() -> None:
    for name, suited in SAMPLERS.items():
        assert MotionOptions(sampler=name).solver == suited
    assert MotionOptions(sampler="ode_euler_mid", steps=7, temperature=1.8).solver == SamplerConfig(
        name="ode_euler_mid", steps=7, grid="time", temperature=1.8
    )
    assert MotionOptions(guidance=2.5).sampling.guidance.speech == 2.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "euler"}, r"--sampler is 'euler'; give one of dpmpp_2m, sde_em"),
        ({"steps": 0}, r"--steps is 0; give 1 to 10000, such as 20"),
        ({"guidance": float("nan")}, r"--guidance is nan; give 0 or more"),
        ({"temperature": 0.0}, r"--temperature is 0\.0; give a number above 0"),
        ({"temperature": 1.8, "sampler": "sde_em"}, r"--temperature is 1\.8, but sde_em replaces the noise"),
    ],
)
def test_an_option_that_no_sampler_takes_is_refused_by_its_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(GenerationError, match=message):
        MotionOptions(**options)


def test_several_videos_are_named_after_their_seeds_and_one_as_asked() -> None:
    assert list(replace(JOB, seed=5).videos()) == [(5, Path("out/me.mp4"))]
    assert list(replace(JOB, seed=5, variants=2).videos()) == [
        (5, Path("out/me_seed5.mp4")),
        (6, Path("out/me_seed6.mp4")),
    ]
    with pytest.raises(GenerationError, match="--variants is 0"):
        replace(JOB, variants=0)


@pytest.mark.parametrize("sampled", [{"motion": MotionOptions(steps=5)}, {"variants": 2}])
def test_a_driving_video_leaves_nothing_to_sample(sampled: dict[str, object]) -> None:
    with pytest.raises(GenerationError, match="go with --speech: with --driving no motion is sampled"):
        replace(JOB, speech=None, driving=Path("other.mp4"), **sampled)


def test_every_option_of_sampling_changes_the_motion(made_run: Callable[..., Path]) -> None:
    run = load_run(made_run(), "cpu")
    features = np.random.default_rng(0).normal(size=(10, 384)).astype(np.float16)
    reference_CHW = torch.zeros(run.vae.config.motion_shape)
    options = [
        *(MotionOptions(sampler=name, steps=3) for name in SAMPLERS),
        MotionOptions(steps=4),
        MotionOptions(steps=3, guidance=3.0),
        MotionOptions(steps=3, temperature=1.8),
    ]
    made = [motion_of_speech(run, speech_driven(run), features, reference_CHW, one.sampling, seed=0) for one in options]
    assert all(torch.isfinite(motion).all() for motion in made)
    for number, motion in enumerate(made):
        assert all((motion - other).abs().max() > 1e-4 for other in made[:number])
