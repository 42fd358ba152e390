import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from foundation.errors import ProblemsFoundError, UsageError
from manifests import Dataset
from models.face_motion import appearance_of, motion_of_landmarks
from models.pixels import to_uint8
from training.data.clips import ClipReader
from training.evaluation.protocols.protocol import load_protocols
from training.run_videos.generate_videos import GeneratedVideos, generate_videos
from training.run_videos.planned_videos import PlannedVideo
from training.run_videos.tested_run import TestedRun, UnsuitedRunError, load_tested_run

WriteRun = Callable[..., Path]

PROTOCOLS = load_protocols("controlled")[1]

CARL = "carl-0000000-0000129"


def _generate(run: TestedRun, name: str, folder: Path, limit: int | None = None, **changes: int) -> GeneratedVideos:
    """Generate by a protocol, with `changes`, such as fewer frames."""
    return generate_videos(run, name, replace(PROTOCOLS[name], **changes), folder, limit=limit)


def _luma(pictures: np.ndarray) -> np.ndarray:
    """What H.264 stores at full resolution (BT.709)."""
    return pictures @ np.array([0.2126, 0.7152, 0.0722])


def _pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        assert opened.streams.video[0].average_rate == 25
        return np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])


def _sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        return np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def of_vae(people: Path, write_run: WriteRun) -> TestedRun:
    return load_tested_run(write_run(), people, device="cpu")


@pytest.fixture(scope="module")
def of_motion(people: Path, write_run: WriteRun) -> TestedRun:
    return load_tested_run(write_run(motion=True, of_vae=["anna"], sde={
        "beta_min": 0.1, "beta_max": 10.0, "train_t_min": 1e-5, "sample_t_min": 1e-3,
    }), people, device="cpu")  # fmt: skip


@pytest.fixture(scope="module")
def rebuilt(of_vae: TestedRun, tmp_path_factory: pytest.TempPathFactory) -> GeneratedVideos:
    return _generate(of_vae, "self_reconstruction", tmp_path_factory.mktemp("rebuilt") / "self", limit=2)


def test_a_rebuilt_video_shows_what_the_networks_make_of_the_first_frame_and_the_landmarks_of_the_others(
    of_vae: TestedRun, rebuilt: GeneratedVideos
) -> None:
    assert (rebuilt.n_videos, rebuilt.n_clips, rebuilt.n_new) == (2, 2, 2)
    stem = next(path.stem for path in sorted(rebuilt.outputs.iterdir()))
    clips = of_vae.clips.index
    number = clips.rows["clip_id"].to_pylist().index(stem)
    reader, n_frames = ClipReader(clips), int(clips.n_frames[number])
    shown = reader.frames(number, range(n_frames), 32)
    networks = of_vae.networks
    # the dataset's clips have 64 pixels, the networks 32
    latents = motion_of_landmarks(networks, reader.array(number, "landmarks")[1:] / 2)
    with torch.inference_mode():
        appearance = appearance_of(networks, shown[0]).expand(len(latents), -1, -1, -1)
        expected = to_uint8(networks.vae.decode(appearance, latents))
    made, truth = _pictures(rebuilt.outputs / f"{stem}.mp4"), _pictures(rebuilt.truth / f"{stem}.mp4")
    assert made.shape == truth.shape == (n_frames - 1, 32, 32, 3)
    # little quantisation: far less than between two frames that follow each other
    assert np.abs(_luma(made) - _luma(np.stack(expected))).mean() < 2
    assert np.abs(_luma(truth) - _luma(shown[1:])).mean() < 2 < np.abs(_luma(truth[1:]) - _luma(shown[1:-1])).mean()
    with av.open(str(rebuilt.reference / f"{stem}.png")) as opened:
        assert np.array_equal(next(opened.decode(video=0)).to_ndarray(format="rgb24"), shown[0])


def test_generated_files_say_so_and_true_ones_do_not(rebuilt: GeneratedVideos) -> None:
    stem = next(path.stem for path in rebuilt.outputs.iterdir())
    with av.open(str(rebuilt.outputs / f"{stem}.mp4")) as made, av.open(str(rebuilt.truth / f"{stem}.mp4")) as truth:
        assert "AI-generated" in made.metadata["comment"]
        assert json.loads(made.metadata["description"])["protocol"] == "self_reconstruction"
        assert "comment" not in truth.metadata


def test_the_record_names_protocol_run_checkpoint_and_clips(of_vae: TestedRun, rebuilt: GeneratedVideos) -> None:
    record = json.loads((rebuilt.folder / "generated.json").read_text())
    assert (record["protocol"], record["run"], record["complete"]) == (
        "self_reconstruction",
        "tiny/step_00000007",
        True,
    )
    assert record["sha256"] == {"vae": of_vae.sha256["vae"]}
    assert len(of_vae.sha256["vae"]) == 64
    assert record["settings"]["first_frame"] == 1
    assert sorted(video["clip_id"] for video in record["videos"]) == sorted(
        path.stem for path in rebuilt.outputs.iterdir()
    )


def test_a_folder_is_gone_on_with_and_what_is_there_stays(
    of_vae: TestedRun, rebuilt: GeneratedVideos, tmp_path: Path
) -> None:
    folder = tmp_path / "self"
    shutil.copytree(rebuilt.folder, folder)
    lost = min(folder.glob("outputs/*"))
    content = lost.read_bytes()
    lost.unlink()  # as a killed call leaves it
    record = json.loads((folder / "generated.json").read_text()) | {"complete": False}
    (folder / "generated.json").write_text(json.dumps(record))
    kept = {
        name: (folder / name).stat().st_mtime_ns for name in _files(folder) if not name.endswith(("json", lost.name))
    }
    again = _generate(of_vae, "self_reconstruction", folder, limit=2)
    assert (again.n_videos, again.n_new) == (2, 1)
    assert lost.read_bytes() == content
    assert all((folder / name).stat().st_mtime_ns == time for name, time in kept.items() if lost.stem not in name)
    assert "2 videos of 2 clips" in str(again)
    assert "1 of them there already" in str(again)
    with pytest.raises(UsageError, match=r"holds 1 video beside those asked for now, such as"):
        _generate(of_vae, "self_reconstruction", folder, limit=1)


def test_a_folder_of_another_checkpoint_or_of_anything_else_is_refused(
    people: Path, write_run: WriteRun, rebuilt: GeneratedVideos, tmp_path: Path
) -> None:
    before = _files(rebuilt.folder)
    other = load_tested_run(write_run(seed=1), people, device="cpu")
    with pytest.raises(UsageError, match=r"holds videos of self_reconstruction by tiny/step_00000007, .* in sha256"):
        _generate(other, "self_reconstruction", rebuilt.folder, limit=2)
    assert _files(rebuilt.folder) == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files that no evaluation generated"):
        _generate(other, "self_reconstruction", tmp_path)
    assert _files(tmp_path) == ["mine.txt"]


@pytest.mark.slow
def test_the_sound_of_a_frame_stays_with_it(of_vae: TestedRun, of_motion: TestedRun, tmp_path: Path) -> None:
    # Carl's clip clicks in the middle of frame 10: 0.42 s into it, 0.38 s after its second frame
    for run, name, at_s in ((of_vae, "self_reconstruction", 0.38), (of_motion, "speech_driven", 0.42)):
        _generate(run, name, tmp_path / name, most_frames=20)
        for kind in ("outputs", "truth"):
            sound = _sound(tmp_path / name / kind / f"{CARL}.mp4")
            assert np.abs(sound).argmax() / 16_000 == pytest.approx(at_s, abs=0.003)


@pytest.mark.slow
def test_motion_follows_speech_and_seed(of_motion: TestedRun, tmp_path: Path) -> None:
    made = [_generate(of_motion, "speech_driven", tmp_path / name, most_frames=12) for name in ("a", "again")]
    assert made[0].n_videos == 3  # Eve has no speech
    first, again = ([path.read_bytes() for path in sorted(one.outputs.iterdir())] for one in made)
    assert first == again
    assert _pictures(made[0].outputs / f"{CARL}.mp4").shape == (12, 32, 32, 3)
    _generate(of_motion, "speech_driven", tmp_path / "other", most_frames=12, seed=1)
    other, same = (_pictures(folder / "outputs" / f"{CARL}.mp4") for folder in (tmp_path / "other", tmp_path / "a"))
    assert (other != same).any()
    assert of_motion.sampling.sde.beta_max == 10.0  # the schedule that the run was trained on
    assert set(of_motion.sha256) == {"vae", "motion"}


@pytest.mark.slow
def test_each_round_shows_another_person_with_the_motion_of_the_clip(of_vae: TestedRun, tmp_path: Path) -> None:
    made = _generate(of_vae, "cross_reenactment", tmp_path / "cross", most_frames=6)
    assert (made.n_videos, made.n_clips, made.n_frames) == (20, 4, 120)
    truths = [(made.truth / f"{CARL}_round{number}.mp4").read_bytes() for number in range(1, 6)]
    assert len(set(truths)) == 1
    videos = [PlannedVideo(**one) for one in json.loads((made.folder / "generated.json").read_text())["videos"]]
    for video in videos[:5]:
        with av.open(str(made.reference / f"{video.stem}.png")) as opened:
            picture = next(opened.decode(video=0)).to_ndarray(format="rgb24")
        reader = ClipReader(of_vae.clips.index)
        number = of_vae.clips.index.rows["clip_id"].to_pylist().index(video.reference_clip_id)
        assert np.array_equal(picture, reader.frames(number, [video.reference_frame], 32)[0])


def test_a_run_that_was_not_trained_for_a_protocol_says_which_command_trains_one(
    of_vae: TestedRun, people: Path, write_run: WriteRun, tmp_path: Path
) -> None:
    with pytest.raises(
        UnsuitedRunError, match=r"`gaia-train latents .*` and `gaia-train diffusion .* --out MOTION_RUN`"
    ):
        _generate(of_vae, "speech_driven", tmp_path / "out")
    held_out = load_tested_run(write_run(["anna"], test_sources=["two"]), people, device="cpu")
    with pytest.raises(UnsuitedRunError, match=r"MOTION_RUN --set data\.test_sources=\[two\]`"):
        _generate(held_out, "speech_driven", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_clips_of_other_landmarks_or_speech_features_are_refused(
    make_clips: Callable[..., Path], write_run: WriteRun, tmp_path: Path
) -> None:
    points = make_clips(tmp_path / "points", {"video": "a", "n_frames": 4, "split": "test", "scheme": "mediapipe478"})
    with pytest.raises(UnsuitedRunError, match=r"trained on landmarks 'ibug68', and the clips of .* 'mediapipe478'"):
        load_tested_run(write_run(), points, device="cpu")
    speech = make_clips(tmp_path / "speech", {"video": "a", "n_frames": 4, "split": "test", "encoder": "other"})
    run = load_tested_run(write_run(motion=True, of_vae=[]), speech, device="cpu")
    with pytest.raises(UnsuitedRunError, match=r"trained on speech features of 'made', and clips of .* 'other'"):
        _generate(run, "speech_driven", tmp_path / "out")


def test_damaged_clips_are_left_out_and_told(
    make_clips: Callable[..., Path], write_run: WriteRun, tmp_path: Path
) -> None:
    clips: Sequence[dict[str, object]] = [{"video": name, "n_frames": 4, "split": "test"} for name in ("a", "b")]
    dataset = make_clips(tmp_path / "dataset", *clips)
    row = Dataset(dataset).clip("a-0000000-0000003").row
    with (dataset / str(row["media"])).open("r+b") as tar:
        tar.seek(int(row["mp4_offset"]))  # type: ignore[arg-type]
        tar.write(bytes(int(row["mp4_size"])))  # type: ignore[arg-type]
    run = load_tested_run(write_run(), dataset, device="cpu")
    made = _generate(run, "self_reconstruction", tmp_path / "out")
    assert (made.n_videos, list(made.left_out)) == (1, ["a-0000000-0000003"])
    assert _files(tmp_path / "out") == [
        "copy/b-0000000-0000003.mp4", "generated.json", *(f"{kind}/b-0000000-0000003{suffix}" for kind, suffix in
        (("outputs", ".mp4"), ("reference", ".png"), ("truth", ".mp4"))),
    ]  # fmt: skip
    assert "left out: a-0000000-0000003: a-0000000-0000003: media/a.tar:" in str(made)
    (dataset / "media" / "b.tar").unlink()
    with pytest.raises(ProblemsFoundError, match="none of 2 videos could be generated"):
        _generate(load_tested_run(write_run(), dataset, device="cpu"), "self_reconstruction", tmp_path / "none")


def test_the_copy_shows_the_reference_for_as_long_as_the_result(rebuilt: GeneratedVideos) -> None:
    assert rebuilt.copy is not None
    for path in sorted(rebuilt.copy.iterdir()):
        pictures = _pictures(path)
        assert len(pictures) == len(_pictures(rebuilt.outputs / path.name))
        with Image.open(rebuilt.reference / f"{path.stem}.png") as opened:
            reference = np.asarray(opened.convert("RGB"))
        assert np.abs(_luma(pictures) - _luma(reference)).mean() < 2.0


@pytest.mark.slow
def test_the_control_is_driven_by_the_speech_of_another_person_and_sounds_like_it(
    of_motion: TestedRun, tmp_path: Path
) -> None:
    own = _generate(of_motion, "speech_driven", tmp_path / "own", most_frames=40)
    control = _generate(of_motion, "speech_of_others", tmp_path / "control", most_frames=40)
    assert control.copy is None
    first, second = (made.outputs / f"{CARL}.mp4" for made in (own, control))
    assert not np.array_equal(_pictures(first), _pictures(second))
    # Carl's clip has sound, which is that of the truth, and Dora's have none
    assert len(_sound(first)) == len(_sound(control.truth / f"{CARL}.mp4")) > 0
    with av.open(str(second)) as opened:
        assert not opened.streams.audio
