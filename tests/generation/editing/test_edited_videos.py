"""Videos whose mouth follows speech and whose other points are those of a video."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video

import generation
from generation import GenerationError
from generation.animation import speech_driven
from generation.editing.choice import EditChoice, require_editable
from generation.editing.landmark_check import EditAgreement
from generation.pose_track import PoseChoice
from generation.request import GenerationJob, MotionOptions
from generation.trained_run import load_run
from manifests.landmarks import landmark_scheme
from models.landmark_motion import landmarks_of_speech
from models.sampling.editing import EditMethod
from models.sampling.sample_motion import MotionSampling

SCHEME = landmark_scheme("mediapipe478")
HELD = np.setdiff1d(np.arange(478), SCHEME.mouth_and_jaw)


@pytest.fixture(scope="module")
def landmark_run(made_run: Callable[..., Path]) -> Path:
    return made_run(landmarks=True)


@pytest.mark.parametrize("method", get_args(EditMethod))
def test_with_every_method_the_points_outside_mouth_and_jaw_are_those_that_were_given(
    landmark_run: Path, method: EditMethod
) -> None:
    run = load_run(landmark_run, "cpu")
    draws = np.random.default_rng(0)
    features = draws.normal(size=(6, 384)).astype(np.float16)
    portrait_px = draws.uniform(16, 48, (478, 2)).astype(np.float32)
    given_px = draws.uniform(16, 48, (6, 478, 2)).astype(np.float32)
    sampling = MotionSampling(solver=EditChoice(video=Path("a.mp4"), method=method).solver(2))
    made_px = landmarks_of_speech(run, speech_driven(run), features, portrait_px, sampling, seed=0, given_px=given_px)
    assert made_px[:, HELD] == pytest.approx(given_px[:, HELD], abs=1e-4)
    free = list(SCHEME.mouth_and_jaw)
    assert np.abs(made_px[:, free] - given_px[:, free]).mean() > 1.0


def test_distances_are_those_of_points_outside_mouth_and_jaw_in_frames_with_a_face() -> None:
    given_px = np.zeros((3, 478, 2), np.float32)
    sampled_px, measured_px = given_px.copy(), given_px.copy()
    sampled_px[:, list(SCHEME.mouth_and_jaw)] = 50.0  # which the speech may move
    measured_px += [3.0, 4.0]
    measured_px[1] = np.nan
    agreement = EditAgreement(given_px=given_px, sampled_px=sampled_px, measured_px=measured_px, scheme=SCHEME)
    assert agreement.sampled_error_px == 0.0
    assert agreement.measured_error_px == pytest.approx(5.0)
    assert "0.00 px from those of the video as sampled, and 5.00 px in the frames (a face was found in 2 of 3" in str(
        agreement
    )
    nobody = EditAgreement(
        given_px=given_px, sampled_px=sampled_px, measured_px=np.full_like(given_px, np.nan), scheme=SCHEME
    )
    assert nobody.measured_error_px is None
    assert "no face was found" in str(nobody)


@pytest.mark.slow
def test_a_portrait_takes_the_mouth_from_speech_and_the_rest_from_a_video(
    landmark_run: Path, portrait: Path, speech: Path, talking_face: TalkingFace, tmp_path: Path
) -> None:
    video = talking_video(tmp_path / "video.mp4", talking_face, frame_times(Fraction(25), 40))
    out = tmp_path / "out.mp4"
    made = generation.talking_video(landmark_run, portrait=portrait, speech=speech, edit=video, out=out, steps=2)
    (one,) = made.videos
    assert one.n_frames == 32  # of the speech
    assert made.notes == ("the edited video has 40 frames and the speech 32; what comes after them is left out",)
    assert one.edit is not None
    assert one.edit.sampled_error_px < 0.01
    assert str(made).startswith(
        f"{out}: 32 frames, 1.28 s; mark {one.mark_id:012x}; "
        "landmarks outside mouth and jaw are on average 0.00 px from"
    )
    # speech alone drives a run of landmarks as well
    plain = generation.talking_video(landmark_run, portrait=portrait, speech=speech, out=tmp_path / "b.mp4", steps=2)
    assert plain.n_frames == 32
    assert plain.videos[0].edit is None


def test_a_video_that_is_shorter_than_the_speech_or_shows_nobody_is_refused(
    landmark_run: Path, portrait: Path, speech: Path, talking_face: TalkingFace, tmp_path: Path
) -> None:
    good = {"portrait": portrait, "speech": speech, "out": tmp_path / "out.mp4"}
    short = talking_video(tmp_path / "short.mp4", talking_face, frame_times(Fraction(25), 20))
    with pytest.raises(GenerationError, match=r"--edit .*short\.mp4: has 20 frames of 1/25 s, but the speech has 32"):
        generation.talking_video(landmark_run, edit=short, **good)
    empty = talking_video(
        tmp_path / "empty.mp4", talking_face, frame_times(Fraction(25), 32), change=lambda one: np.full_like(one, 90)
    )
    with pytest.raises(GenerationError, match=r"--edit .*empty\.mp4: no face was found in it"):
        generation.talking_video(landmark_run, edit=empty, **good)
    with pytest.raises(GenerationError, match=r"--edit .*: cannot be read as a video"):
        generation.talking_video(landmark_run, edit=portrait.with_name("gone.mp4"), **good)
    assert not (tmp_path / "out.mp4").exists()


def test_a_run_of_another_target_is_refused_with_the_command_that_trains_one(
    made_run: Callable[..., Path], diffusion_run: Path
) -> None:
    run = load_run(diffusion_run, "cpu")
    with pytest.raises(GenerationError, match=r"gaia-train diffusion .* --set model\.target=landmarks"):
        require_editable(run, speech_driven(run), EditChoice(video=Path("a.mp4"), method="replace"))
    never_given = load_run(made_run(landmarks=True, edit=False), "cpu")
    with pytest.raises(GenerationError, match="give --edit-method repaint"):
        require_editable(never_given, speech_driven(never_given), EditChoice(video=Path("a.mp4")))
    require_editable(never_given, speech_driven(never_given), EditChoice(video=Path("a.mp4"), method="repaint"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speech": None}, "neither --speech nor --driving"),
        ({"speech": None, "driving": Path("b.mp4")}, "--edit and --driving were both given"),
        ({"portrait": None}, "no --portrait was given"),
        ({"edit": EditChoice(video=Path("a.mp4"), dub=True)}, "do not go with --dub, in which the face of the video"),
        ({"pose": PoseChoice(source="still")}, "do not go with --edit, whose video gives the head poses"),
        ({"motion": MotionOptions(sampler="ode_heun")}, "--sampler and --temperature do not go with --edit"),
    ],
)
def test_what_does_not_go_with_an_edited_video_is_refused(options: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"run": Path("r"), "portrait": Path("me.jpg"), "out": Path("o.mp4")}
    with pytest.raises(GenerationError, match=message):
        GenerationJob(**(good | {"speech": Path("a.wav"), "edit": EditChoice(video=Path("a.mp4"))} | options))


def test_a_method_is_one_of_four_and_goes_with_a_video(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="--edit-method is 'paste'; give one of mask_cond, repaint, guided"):
        EditChoice(video=tmp_path / "a.mp4", method="paste")
    with pytest.raises(GenerationError, match="no video is edited; give --edit VIDEO with it"):
        generation.talking_video("run", portrait="me.jpg", speech="a.wav", out="o.mp4", edit_method="repaint")
    with pytest.raises(GenerationError, match="--edit and --dub were both given"):
        generation.talking_video("run", speech="a.wav", out="o.mp4", edit="a.mp4", dub="b.mp4")
