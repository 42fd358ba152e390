from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foundation.array_types import Float32Array
from generation import GenerationError
from generation.animation import speech_driven
from generation.pose_track import PoseChoice
from generation.prepared import loaded_run
from generation.request import GenerationJob, MotionOptions, face_number
from generation.trained_run import load_run
from models.face_motion import motion_of_speech
from models.motion.inputs import MotionInputs
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


@pytest.mark.parametrize(
    "sampled", [{"motion": MotionOptions(steps=5)}, {"variants": 2}, {"pose": PoseChoice(source="still")}]
)
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


def test_a_pose_that_is_asked_for_takes_the_place_of_the_predicted_one(made_run: Callable[..., Path]) -> None:
    run = load_run(made_run(), "cpu")
    network = speech_driven(run)
    network.set_pose_statistics(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 10.0, 4.0]))
    features = np.random.default_rng(0).normal(size=(10, 384)).astype(np.float16)
    reference_CHW = torch.zeros(run.vae.config.motion_shape)

    def motion(pose_deg: Float32Array | None) -> torch.Tensor:
        sampling = MotionOptions(steps=3).sampling
        return motion_of_speech(run, network, features, reference_CHW, sampling, seed=0, pose_deg=pose_deg)

    inputs = MotionInputs(
        mask_BT=torch.ones(1, 10, dtype=torch.bool),
        reference_BD=reference_CHW.flatten()[None],
        speech_BTF=torch.from_numpy(features)[None],
    )
    with torch.inference_mode():
        standardised_BTP = network.encode(inputs).predicted_pose_BTP
    assert standardised_BTP is not None
    predicted_deg = standardised_BTP[0].numpy() * [5.0, 10.0, 4.0] + [1.0, 2.0, 3.0]
    assert torch.allclose(motion(predicted_deg.astype(np.float32)), motion(None), atol=1e-5)
    turned_deg = predicted_deg.astype(np.float32) + np.array([0.0, 15.0, 0.0], np.float32)
    assert (motion(turned_deg) - motion(None)).abs().max() > 1e-3


def test_a_run_that_was_trained_without_poses_is_refused_with_the_command_that_trains_one(
    made_run: Callable[..., Path],
) -> None:
    with pytest.raises(GenerationError, match=r"gaia-train diffusion .* --set model\.pose\.enabled=true"):
        loaded_run(replace(JOB, run=made_run(pose=False), pose=PoseChoice(source="still"), device="cpu"))
    with pytest.raises(GenerationError, match="a run of the VAE alone"):
        loaded_run(replace(JOB, run=made_run(motion=False), pose=PoseChoice(source="still"), device="cpu"))


def test_a_face_is_chosen_by_its_number_or_as_the_largest() -> None:
    assert [face_number(face) for face in (None, 2, "3", "largest")] == [None, 2, 3, 1]
    for face in (0, "-1", "left", "", "1.5"):
        with pytest.raises(GenerationError, match="give a number from 1 for the widest on, or largest"):
            face_number(face)
