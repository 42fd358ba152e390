import json
import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video
from helpers.raise_points import Ending, Walk, wrong
from PIL import Image
from typer.testing import CliRunner

import generation
from curation.perception.settings import PerceptionSettings
from curation.settings import CurationSettings
from curation.speech.models import SpeechModels
from curation.speech.settings import SpeechSettings
from foundation.array_types import Float16Array, Float32Array, RgbImage
from generation import GenerationError
from generation.animation import features_of
from generation.cli import app
from generation.speech import DrivingSpeech
from generation.trained_run import load_run
from models.run_folder import RunFolderError


def _pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])


@pytest.mark.slow
def test_portrait_and_speech_become_a_video_with_the_speech_and_25_pictures_a_second(
    command_environment: dict[str, str], diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "out.mp4"
    command = ["gaia-generate", "--run", diffusion_run, "--portrait", portrait, "--speech", speech, "--out", out]
    done = subprocess.run(command, env=command_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as opened:
        assert opened.streams.video[0].average_rate == 25
        sound = np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])
        assert "AI-generated" in opened.metadata["comment"]
        facts = json.loads(opened.metadata["description"])
    assert done.stdout == f"{out}: 32 frames, 1.28 s; mark {facts['mark']}\n"
    assert facts["seed"] == 0
    assert facts["run"] == "tiny/step_00000007"
    assert set(facts["sha256"]) == {"portrait", "speech"}
    assert _pictures(out).shape == (32, 64, 64, 3)
    assert np.sqrt(np.mean(sound**2)) > 0.01
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]


@pytest.mark.slow
def test_one_seed_is_one_video_and_another_seed_another(
    diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.mp4"
    generation.talking_video(diffusion_run, portrait=portrait, speech=speech, out=out, seed=3)
    made = generation.talking_video(diffusion_run, portrait=portrait, speech=speech, out=out, seed=3, variants=2)
    assert [(video.path, video.seed) for video in made.videos] == [
        (tmp_path / "a_seed3.mp4", 3),
        (tmp_path / "a_seed4.mp4", 4),
    ]
    first, second = (video.path for video in made.videos)
    assert first.read_bytes() == out.read_bytes()
    assert (_pictures(first) != _pictures(second)).any()
    assert str(made).splitlines() == [
        f"{video.path}: 32 frames, 1.28 s; mark {video.mark_id:012x}" for video in made.videos
    ]
    assert made.videos[0].mark_id != made.videos[1].mark_id


@pytest.mark.slow
def test_a_driving_video_needs_the_vae_alone_and_brings_its_own_sound(
    made_run: Callable[..., Path], diffusion_run: Path, portrait: Path, talking_face: TalkingFace, tmp_path: Path
) -> None:
    times = frame_times(Fraction(30), 30)
    driving = talking_video(tmp_path / "driving.mp4", talking_face, times, sound=talking_face.sound(end_s=1.0))
    for number, run in enumerate((made_run(motion=False), diffusion_run)):
        out = tmp_path / f"{number}.mp4"
        made = generation.talking_video(str(run), portrait=portrait, driving=driving, out=out)
        assert (made.out, made.n_frames, made.duration_s) == (out, 25, 1.0)
        assert repr(made) == f"GenerationResult:\n  {out}: 25 frames, 1.00 s; mark {made.videos[0].mark_id:012x}"
        with av.open(str(out)) as opened:
            sound = np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])
        assert np.sqrt(np.mean(sound**2)) > 0.01
    # the same VAE in both runs: the motion network plays no part
    assert (tmp_path / "0.mp4").read_bytes() == (tmp_path / "1.mp4").read_bytes()


@pytest.mark.slow
def test_a_video_may_show_the_whole_picture_of_the_portrait(
    diffusion_run: Path, talking_face: TalkingFace, speech: Path, tmp_path: Path
) -> None:
    wall = np.full((421, 600, 3), (40, 90, 160), np.uint8)
    wall[60:380, 240:560] = talking_face.pictures[0]
    Image.fromarray(wall).save(tmp_path / "wide.png")
    made = generation.talking_video(
        diffusion_run,
        portrait=tmp_path / "wide.png",
        speech=speech,
        out=tmp_path / "out.mp4",
        face="largest",
        keep_background=True,
        steps=2,
    )
    assert made.notes == ()
    pictures = _pictures(tmp_path / "out.mp4")
    assert pictures.shape == (32, 420, 600, 3)
    # lossy, but still the wall, and not the face of random networks
    assert np.abs(pictures[:, :, :150].astype(int) - (40, 90, 160)).mean() < 4
    assert np.abs(pictures[0, 150:300, 330:480].astype(int) - wall[150:300, 330:480]).mean() > 10


@pytest.mark.slow
def test_a_video_with_asked_head_poses_says_how_far_its_own_are_from_them(
    diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    (made,) = generation.talking_video(
        diffusion_run, portrait=portrait, speech=speech, out=tmp_path / "out.mp4", pose="yaw=10*sin(2pi t)", steps=2
    ).videos
    assert made.pose is not None
    assert made.pose.asked_deg[:, 1] == pytest.approx(10.0 * np.sin(2.0 * np.pi * np.arange(32) / 25.0), abs=1e-4)
    assert made.pose.measured_deg.shape == (32, 3)
    assert str(made) == f"{tmp_path / 'out.mp4'}: 32 frames, 1.28 s; mark {made.mark_id:012x}; {made.pose}"


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    made = generation.talking_video(
        diffusion_run, portrait=portrait, speech=speech, out=out, dry_run=True, pose="pitch=5t"
    )
    assert "head pose: pitch 0 to 6 degrees, yaw 0 to 0 degrees, roll 0 to 0 degrees" in made.plan
    assert made.n_frames is made.duration_s is None
    assert "speech: 32 frames, 1.28 s" in made.plan
    assert "1 window of 32 frames, 20 steps of dpmpp_2m, 48 numbers a frame" in str(made)
    assert not out.exists()


def test_what_cannot_be_used_is_refused_in_one_line(
    diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    good = {"run": diffusion_run, "portrait": portrait, "speech": speech, "out": tmp_path / "out.mp4"}
    for change, message in (
        ({"run": tmp_path / "empty"}, "has no checkpoint yet"),
        ({"run": tmp_path / "nowhere"}, "is no folder"),
        ({"driving": portrait}, "both --speech and --driving"),
        ({"out": tmp_path / "out.avi"}, "ends in .mp4"),
        ({"sampler": "sde_em", "temperature": 2}, "sde_em replaces the noise"),
    ):
        arguments = [part for name, value in (good | change).items() for part in (f"--{name}", str(value))]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2, done.stderr
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"config": {"crop": {"size": 3}}}', "[]"])
def test_a_run_that_does_not_say_how_its_data_was_made_is_refused(made_run: Callable[..., Path], text: str) -> None:
    run = made_run()
    (run / "dataset.json").write_text(text)
    with pytest.raises(GenerationError, match=r"dataset\.json, which says how its data was made, cannot be used"):
        load_run(run, "cpu")


@pytest.mark.parametrize(("state", "message"), [("empty", "has no checkpoint yet"), ("lost", "which has no export")])
def test_a_run_without_weights_is_refused(made_run: Callable[..., Path], state: str, message: str) -> None:
    run = made_run()
    if state == "empty":
        (run / "latest").unlink()
    else:
        (run / "latest").write_text("step_00000008\n")
    with pytest.raises(RunFolderError, match=message):
        load_run(run, "cpu")


def test_neither_speech_nor_a_video_is_refused(diffusion_run: Path, portrait: Path, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="neither --speech nor --driving"):
        generation.talking_video(diffusion_run, portrait=portrait, out=tmp_path / "out.mp4")


def test_a_dataset_record_of_other_landmarks_than_the_runs_is_refused(
    made_run: Callable[..., Path], portrait: Path, speech: Path, tmp_path: Path
) -> None:
    run = made_run(settings=CurationSettings(perception=PerceptionSettings(faces="dlib")))
    with pytest.raises(GenerationError, match=r"trained on landmarks 'mediapipe478', but .* gives 'ibug68'"):
        generation.talking_video(run, portrait=portrait, speech=speech, out=tmp_path / "out.mp4")


def test_missing_weights_of_the_encoder_are_named_before_anything_is_done(
    made_run: Callable[..., Path],
    portrait: Path,
    speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from foundation.weights import MissingAssetsError

    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    settings = CurationSettings(speech=SpeechSettings(encoder="wav2vec2"))
    run = made_run(speech_encoder="wav2vec2:facebook/wav2vec2-base-960h@00000000:context:12", settings=settings)
    with pytest.raises(MissingAssetsError, match="facebook/wav2vec2-base-960h"):
        generation.talking_video(run, portrait=portrait, speech=speech, out=tmp_path / "out.mp4")


class _OtherEncoder:
    name, dim = "another", 384

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        raise NotImplementedError

    def encode_clips(self, clips: object) -> list[Float16Array]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("motion", "message"), [(True, "'whisper-tiny.en', but .* is 'another'"), (False, "run of the VAE alone")]
)
def test_speech_cannot_drive_a_run_that_has_not_learned_from_its_encoder(
    made_run: Callable[..., Path], motion: bool, message: str
) -> None:
    run = load_run(made_run(motion=motion), "cpu")
    audio = np.zeros(16_000, np.float32)
    speech = DrivingSpeech(audio_16k=audio, audio_48k=audio, n_frames=25)
    models = SpeechModels(target_lufs=-23.0, denoiser=None, encoder=_OtherEncoder())
    with pytest.raises(GenerationError, match=message):
        features_of(run, speech, models)


def test_an_interrupted_video_leaves_the_older_one(
    diffusion_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")

    def broken(pictures: Iterable[RgbImage], n_frames: int) -> Iterable[RgbImage]:
        assert n_frames == 32
        yield next(iter(pictures))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generation.talking_video(diffusion_run, portrait=portrait, speech=speech, out=out, progress=broken)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out.mp4", b"older")]


@pytest.mark.slow
@pytest.mark.parametrize("every", [150])
@pytest.mark.parametrize("driven_by", ["speech", "driving"])
def test_the_command_ends_wherever_it_fails_and_leaves_no_half_a_video(
    driven_by: str,
    every: int,
    walk_once: Callable[[Walk], list[Ending]],
    diffusion_run: Path,
    portrait: Path,
    speech: Path,
    talking_face: TalkingFace,
    tmp_path: Path,
) -> None:
    video = talking_video(tmp_path / "driving.mp4", talking_face, frame_times(Fraction(25), 10))
    given = (
        "--run",
        diffusion_run,
        "--portrait",
        portrait,
        f"--{driven_by}",
        speech if driven_by == "speech" else video,
    )
    words = tuple(str(word) for word in (*given, "--out", "FRESH/out/video.mp4", "--device", "cpu"))
    endings = walk_once(Walk(program="generation.cli:main", arguments=words, every=every))
    assert len(endings) > 150 / every - 1
    assert wrong(endings, "gaia-generate") == []
    failed = [one for one in endings if one.code != 0 and "out/video.mp4" in one.wrote]
    whole = ("foundation.storage.staged:", "generation.outcome:")  # after the rename, and while it is told
    assert [one for one in failed if not one.point.startswith(whole)] == []
